"""The configurations of CLEAR and their columns, as `therem/CLEAR` has them on the Hugging Face hub."""

from __future__ import annotations

from unsee.benchmarks.schemas import IMAGE, TEXT, Columns

SHARES = ("01", "05", "10")  # per cent of the people that can be forgotten

_CAPTIONS: Columns = {"image": IMAGE, "caption": TEXT, "name": TEXT}
_UNION: Columns = {"image": IMAGE, "caption": TEXT, "question": TEXT, "answer": TEXT}
_PERTURBED: Columns = {
    **_CAPTIONS,
    "paraphrased_caption": TEXT,
    "perturbed_captions": [TEXT],
    "perturbed_names": [TEXT],
}
COLUMNS: dict[str, Columns] = {
    "default": _CAPTIONS,
    "full": _CAPTIONS,
    **{f"forget{share}": _CAPTIONS for share in SHARES},
    **{f"retain{100 - int(share)}": _CAPTIONS for share in SHARES},
    "full+tofu": _UNION,
    **{f"forget{share}+tofu": _UNION for share in SHARES},
    **{f"retain{100 - int(share)}+tofu": _UNION for share in SHARES},
    **{f"forget{share}_perturbed": _PERTURBED for share in SHARES},
    "retain_perturbed": _PERTURBED,
    "real_faces": {"image": IMAGE, "answer": TEXT, "options": [TEXT]},
    "real_world": {"question": TEXT, "image": IMAGE, "answer": TEXT, "options": [TEXT]},
}


def retain_of(split: str) -> str:
    """The retain set of a forget set: "forget05" -> "retain95"."""
    return f"retain{100 - int(split.removeprefix('forget'))}"
