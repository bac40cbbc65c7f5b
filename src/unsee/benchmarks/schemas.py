"""The columns of published benchmarks, configuration by configuration, as their Parquet files hold them.

A type is written as plain Python: `IMAGE` and `TEXT`, a list of one type for a list, a dict for a struct. CLEAR is
`therem/CLEAR`, MLLMU-Bench is `MLLMMU/MLLMU-Bench` with `MLLMMU/baseline_train_split` for training rows, TOFU is
`locuslab/TOFU`, all on the Hugging Face hub. Every configuration has one split, `train`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

IMAGE, TEXT = "image", "string"
Columns = Mapping[str, Any]

LETTERS = ("A", "B", "C", "D")
PERCENTAGES = ("01", "05", "10")  # what CLEAR and TOFU forget
MLLMU_PERCENTAGES = ("5", "10", "15")

_CAPTIONS: Columns = {"image": IMAGE, "caption": TEXT, "name": TEXT}
_UNION: Columns = {"image": IMAGE, "caption": TEXT, "question": TEXT, "answer": TEXT}
_PERTURBED: Columns = {
    **_CAPTIONS,
    "paraphrased_caption": TEXT,
    "perturbed_captions": [TEXT],
    "perturbed_names": [TEXT],
}
CLEAR: dict[str, Columns] = {
    "default": _CAPTIONS,
    "full": _CAPTIONS,
    **{f"forget{share}": _CAPTIONS for share in PERCENTAGES},
    **{f"retain{100 - int(share)}": _CAPTIONS for share in PERCENTAGES},
    "full+tofu": _UNION,
    **{f"forget{share}+tofu": _UNION for share in PERCENTAGES},
    **{f"retain{100 - int(share)}+tofu": _UNION for share in PERCENTAGES},
    **{f"forget{share}_perturbed": _PERTURBED for share in PERCENTAGES},
    "retain_perturbed": _PERTURBED,
    "real_faces": {"image": IMAGE, "answer": TEXT, "options": [TEXT]},
    "real_world": {"question": TEXT, "image": IMAGE, "answer": TEXT, "options": [TEXT]},
}

_CHOICE: Columns = {"Correct_Answer": TEXT, "Options": dict.fromkeys(LETTERS, TEXT), "Question": TEXT}
_TASKS: Columns = {
    "Classification_Task": {"Image_Textual_Questions": [_CHOICE], "Pure_Text_Questions": [_CHOICE]},
    "Generation_Task": [{"Ground_Truth": TEXT, "Question": TEXT, "Type": TEXT}],
    "Mask_Task": [{"Ground_Truth": TEXT, "Question": TEXT, "Type": TEXT}],
}
_PROFILE: Columns = {"image": IMAGE, "ID": TEXT, "biography": TEXT, "question": TEXT, "answer": TEXT, **_TASKS}
MLLMU_TRAINING: Columns = {"image": IMAGE, "ID": TEXT, "metadata": TEXT}
MLLMU: dict[str, Columns] = {
    "Full_Set": {"image": IMAGE, "ID": TEXT, "Directory": TEXT, **_PROFILE},
    "Test_Set": {"images": [IMAGE], **{name: kind for name, kind in _PROFILE.items() if name != "image"}},
    "Retain_Set": _PROFILE,
    **{f"forget_{share}": _PROFILE for share in MLLMU_PERCENTAGES},
    **{f"retain_{100 - int(share)}": _PROFILE for share in MLLMU_PERCENTAGES},
    "ft_Data": MLLMU_TRAINING,
}
MLLMU_SOMETIMES = frozenset({"Directory", "question", "answer"})  # columns that some revisions on the hub go without

_ASKED: Columns = {"question": TEXT, "answer": TEXT}
_PARAPHRASED: Columns = {
    "question": TEXT,
    "paraphrased_question": TEXT,
    "answer": TEXT,
    "paraphrased_answer": TEXT,
    "perturbed_answer": [TEXT],
}
_OPTIONS: Columns = {**_ASKED, "perturbed_answer": [TEXT]}
TOFU: dict[str, Columns] = {
    "full": _ASKED,
    **{f"forget{share}": _ASKED for share in PERCENTAGES},
    **{f"retain{100 - int(share)}": _ASKED for share in PERCENTAGES},
    **{f"forget{share}_perturbed": _PARAPHRASED for share in PERCENTAGES},
    "retain_perturbed": _PARAPHRASED,
    "real_authors_perturbed": _OPTIONS,
    "world_facts_perturbed": _OPTIONS,
}

LAYOUTS = {"clear": CLEAR, "mllmu": MLLMU, "tofu": TOFU}


def arrow_type(kind: Any) -> pa.DataType:
    """The Arrow type of one of the types above; a picture is a struct of its bytes and its path."""
    import pyarrow as pa

    if kind == IMAGE:
        return pa.struct({"bytes": pa.binary(), "path": pa.string()})
    if kind == TEXT:
        return pa.string()
    if isinstance(kind, list):
        return pa.list_(arrow_type(kind[0]))
    return pa.struct({name: arrow_type(inner) for name, inner in kind.items()})


def arrow_schema(columns: Columns) -> pa.Schema:
    """The schema of a Parquet file with these columns, with the notes by which `datasets` knows pictures."""
    import datasets

    def feature(kind: Any) -> Any:
        if isinstance(kind, list):
            return datasets.List(feature(kind[0]))
        if isinstance(kind, Mapping):
            return {name: feature(inner) for name, inner in kind.items()}
        return datasets.Image() if kind == IMAGE else datasets.Value("string")

    return datasets.Features({name: feature(kind) for name, kind in columns.items()}).arrow_schema
