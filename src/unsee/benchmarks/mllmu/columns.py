"""The configurations of MLLMU-Bench and their columns, as `MLLMMU/MLLMU-Bench` has them on the Hugging Face hub."""

from __future__ import annotations

from unsee.benchmarks.profiles import LETTERS, SHARES
from unsee.benchmarks.schemas import IMAGE, TEXT, Columns

SOMETIMES = frozenset({"Directory", "question", "answer"})  # columns that some revisions on the hub go without
TASK_COLUMNS = ("Classification_Task", "Mask_Task", "Generation_Task")

_CHOICE: Columns = {"Correct_Answer": TEXT, "Options": dict.fromkeys(LETTERS, TEXT), "Question": TEXT}
_TASKS: Columns = {
    "Classification_Task": {"Image_Textual_Questions": [_CHOICE], "Pure_Text_Questions": [_CHOICE]},
    "Generation_Task": [{"Ground_Truth": TEXT, "Question": TEXT, "Type": TEXT}],
    "Mask_Task": [{"Ground_Truth": TEXT, "Question": TEXT, "Type": TEXT}],
}
_PROFILE: Columns = {"image": IMAGE, "ID": TEXT, "biography": TEXT, "question": TEXT, "answer": TEXT, **_TASKS}
COLUMNS: dict[str, Columns] = {
    "Full_Set": {"image": IMAGE, "ID": TEXT, "Directory": TEXT, **_PROFILE},
    "Test_Set": {"images": [IMAGE], **{name: kind for name, kind in _PROFILE.items() if name != "image"}},
    "Retain_Set": _PROFILE,
    **{f"forget_{share}": _PROFILE for share in SHARES},
    **{f"retain_{100 - int(share)}": _PROFILE for share in SHARES},
    "ft_Data": {"image": IMAGE, "ID": TEXT, "metadata": TEXT},
}
