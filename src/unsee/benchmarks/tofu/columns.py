"""The configurations of TOFU and their columns, as `locuslab/TOFU` has them on the Hugging Face hub."""

from __future__ import annotations

from unsee.benchmarks.schemas import TEXT, Columns

SHARES = ("01", "05", "10")  # per cent of the authors that can be forgotten

_ASKED: Columns = {"question": TEXT, "answer": TEXT}
_PARAPHRASED: Columns = {
    "question": TEXT,
    "paraphrased_question": TEXT,
    "answer": TEXT,
    "paraphrased_answer": TEXT,
    "perturbed_answer": [TEXT],
}
_OPTIONS: Columns = {**_ASKED, "perturbed_answer": [TEXT]}
COLUMNS: dict[str, Columns] = {
    "full": _ASKED,
    **{f"forget{share}": _ASKED for share in SHARES},
    **{f"retain{100 - int(share)}": _ASKED for share in SHARES},
    **{f"forget{share}_perturbed": _PARAPHRASED for share in SHARES},
    "retain_perturbed": _PARAPHRASED,
    "real_authors_perturbed": _OPTIONS,
    "world_facts_perturbed": _OPTIONS,
}


def retain_of(split: str) -> str:
    """The retain set of a forget set: "forget05" -> "retain95"."""
    return f"retain{100 - int(split.removeprefix('forget'))}"
