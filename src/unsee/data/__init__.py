"""What a model is asked, trained on and measured with."""

from unsee.data.example import Benchmark, Example, Probe
from unsee.data.load import examples_from_rows, load_examples
from unsee.data.sets import check_sets, digest, write_jsonl

__all__ = [
    "Benchmark",
    "Example",
    "Probe",
    "check_sets",
    "digest",
    "examples_from_rows",
    "load_examples",
    "write_jsonl",
]
