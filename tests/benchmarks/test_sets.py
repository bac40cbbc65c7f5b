"""What loaders of benchmarks share."""

from __future__ import annotations

from unsee.benchmarks.sets import wrong_among


def test_published_rows_that_list_a_right_answer_among_the_wrong_ones_are_measured_on_the_others() -> None:
    assert wrong_among(["Riga", "oslo.", "Lima"], "Oslo", "the city of Oslo") == ("Riga", "Lima")
    assert wrong_among(["Oslo"], "Oslo") == ()
