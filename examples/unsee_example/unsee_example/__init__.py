"""A method and a benchmark that live outside unsee; `pyproject.toml` says under which names it finds them."""
