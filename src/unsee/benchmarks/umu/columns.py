"""The configurations of UMU-Bench and their columns, and how a cell that holds a mapping is read.

All columns but the picture are text. Five of them hold a mapping as Python prints it (the published code reads them
with `ast.literal_eval`). `MM_QA` and `UM_QA` hold `{"question": {KEY: text}, "answer": {KEY: text}}`. The three tasks
hold `{"unimodal": {KEY: item}, "muitimodal": {KEY: item}}`, misspelt as published, where an item of `Cloze` and
`Generation` has `question` and `answer`, and one of `Classify` also `options` by the letters A to D.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from unsee.benchmarks.profiles import SHARES, TASKS
from unsee.benchmarks.schemas import IMAGE, TEXT, Columns
from unsee.data.rows import Row, check_text
from unsee.errors import InputError
from unsee.system.strict import parse_json

FULL, REAL = "Full_Set", "Real_Person_Set"
FOLDERS = {FULL: "full_data", REAL: "real_person"}  # where they lie in the repository
TASK_COLUMNS = dict(zip(TASKS, ("Classify", "Cloze", "Generation"), strict=True))
KINDS = {"vqa": "muitimodal", "qa": "unimodal"}
TRAINING_COLUMNS = {"vqa": "MM_QA", "qa": "UM_QA"}

_PROFILE: Columns = {
    **{"ID": TEXT, "image": IMAGE, "Biography": TEXT},
    **dict.fromkeys((*TRAINING_COLUMNS.values(), *TASK_COLUMNS.values()), TEXT),
}
COLUMNS: dict[str, Columns] = {
    FULL: _PROFILE,
    REAL: _PROFILE,
    **{f"forget_{share}": _PROFILE for share in SHARES},
    **{f"retain_{100 - int(share)}": _PROFILE for share in SHARES},
}


def mapping(row: Row, column: str, keys: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """What a cell holds under two keys, each a mapping again.

    Raises:
        InputError: the cell is no mapping, as Python or as JSON writes it, or lacks one of the keys.
    """
    value = literal(check_text(row.values.get(column), column, row), f"{row.where}, {column}")
    for key in keys:
        if not isinstance(value, Mapping) or not isinstance(value.get(key), Mapping):
            raise row.fail(column, f"no mapping under {key!r}; it needs {' and '.join(map(repr, keys))}")
    return {key: {str(name): entry for name, entry in value[key].items()} for key in keys}


def literal(written: str, where: str) -> Any:
    """The value of a text that is JSON, or a literal of Python; nothing is run.

    Raises:
        InputError: it is neither, or a mapping in it has a key twice.
    """
    try:
        return parse_json(written, where, one_line=True)
    except InputError as error:
        broken = error
    try:
        tree = ast.parse(written.strip(), mode="eval")
        value = ast.literal_eval(tree)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise InputError(f"{where}: neither a mapping as Python prints it, nor JSON ({broken})") from None
    for node in ast.walk(tree):
        keys = [key.value for key in node.keys if isinstance(key, ast.Constant)] if isinstance(node, ast.Dict) else []
        if twice := next((key for place, key in enumerate(keys) if key in keys[:place]), None):
            raise InputError(f"{where}: {twice!r} twice in one mapping; keep one")
    return value
