"""The world written down in the layouts of published benchmarks."""
