"""A method, a metric, a benchmark and an attack from outside unsee, which finds them by `pyproject.toml`."""
