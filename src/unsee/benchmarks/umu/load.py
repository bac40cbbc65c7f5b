"""UMU-Bench (Wang et al., NeurIPS 2025): the people of MLLMU-Bench, each asked every fact with a picture and by name.

`linbojunzi/UMU-bench` on the hub, and a copy as `chengyewang/UMU-bench`. Columns, keys and tasks are those that the
published code reads (github.com/QDRhhhh/UMU-bench, commit b8e3fe5). Not verified, as the data set itself could not be
looked at: the type of `ID`, what a biography looks like, how many questions there are, and whether the training
questions (`MM_QA`, `UM_QA`) repeat those of the tasks. Where they do, probes are marked `trained_on`, and the questions
are taken out of preserve sets.

Departures: fill-ins are announced in our words, and their answers keep what follows a full stop within them ("St.
Louis"), which the published code cuts. Options are asked for by letter, not as a list of texts. A letter that cannot be
read is that of the other modality, which the published code takes for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from unsee.benchmarks.profiles import BLANK, LETTERS, Profile, Trained, name_in, probe_rows, requested, retain_of
from unsee.benchmarks.sets import assembled, wrong_among
from unsee.benchmarks.source import Source, text
from unsee.benchmarks.spec import Selection
from unsee.benchmarks.umu.columns import KINDS, REAL, TASK_COLUMNS, TRAINING_COLUMNS, literal, mapping
from unsee.data.example import Benchmark, Example
from unsee.errors import InputError
from unsee.system.progress import progress


def load_umu(source: Source, selection: Selection) -> Benchmark:
    """UMU-Bench from the hub, or from a folder in its layout.

    The retain set follows from the split. A visual request forgets `MM_QA`, a textual one `UM_QA`, both both.

    Returns:
        Probes `SET_TASK_vqa` and `SET_TASK_qa` for the sets forget, retain and celebrity (the real people), and the
        tasks of `unsee.benchmarks.profiles.TASKS`. Both rows of a fact have one id.

    Raises:
        InputError: a file, column or row is not as published.
    """
    split, request = selection.split, selection.request
    forgotten, retained = (_profiles(source, config) for config in (split, retain_of(split)))
    sets = {"forget": forgotten, "retain": retained, "celebrity": _profiles(source, REAL)}
    rows = probe_rows(sets, _questions)
    name = f"UMU-Bench {split}, {request} request"
    training = requested(name, request, _trained(forgotten), _trained(retained), rows)
    return assembled(training, rows, selection.probe_rows)


def _profiles(source: Source, config: str) -> list[Profile]:
    columns = ("ID", "image", "Biography", *TRAINING_COLUMNS.values(), *TASK_COLUMNS.values())
    profiles = []
    for row in progress(source.rows(config, columns), f"reading {config}"):
        if row.values["image"] is None:
            raise row.fail("image", "null; this row needs a picture")
        number = text(row, "ID")
        profiles.append(Profile(row, number, name_of(row.values["Biography"], number), row.values["image"]))
    return profiles


def name_of(biography: Any, number: str) -> str:
    """The name that a biography states as a mapping, as in MLLMU-Bench, or the number of the person."""
    try:
        return name_in(literal(biography, "Biography") if isinstance(biography, str) else None, number)
    except InputError:
        return name_in(None, number)


def _questions(profile: Profile) -> Iterator[tuple[str, Example]]:
    """What the three tasks ask about one person."""
    for task, column in TASK_COLUMNS.items():
        cell = mapping(profile.row, column, (KINDS["vqa"], KINDS["qa"]))
        for kind, name in KINDS.items():
            for key, item in cell[name].items():
                twin = cell[KINDS["qa" if kind == "vqa" else "vqa"]].get(key)
                yield task, _asked(profile, task, kind, key, item, twin)


def _asked(profile: Profile, task: str, kind: str, key: str, item: Any, twin: Any) -> Example:
    """One question; both modalities of a fact have one id."""
    where = f"{TASK_COLUMNS[task]}.{KINDS[kind]}.{key}"
    if not isinstance(item, Mapping):
        raise profile.row.fail(where, "no question with its answer")
    values: dict[str, Any] = {"fact": key, "id": f"{profile.number}/{TASK_COLUMNS[task]}.{key}"}
    question, answer = item.get("question"), item.get("answer")
    if task == "classification":
        letters = options_of(item)
        choices, answer = tuple(letters.values()), right_option(item, twin)
        if answer is None:
            there = ", ".join(letters) or "no options"
            raise profile.row.fail(where, f"answer is {item.get('answer')!r}, none of {there}")
        values |= {"choices": choices, "perturbed_answers": wrong_among(choices, answer)}
    if task == "cloze" and isinstance(question, str) and isinstance(answer, str):
        question, answer = BLANK + question, answer.strip().removesuffix(".")
    return profile.asked(question, answer, kind == "vqa", where, **values)


def options_of(item: Mapping[str, Any]) -> dict[str, str]:
    """The options of a multiple choice by their letters; those that are there."""
    options = item.get("options")
    found = options if isinstance(options, Mapping) else {}
    return {letter: found[letter].strip() for letter in LETTERS if isinstance(found.get(letter), str)}


def right_option(item: Mapping[str, Any], twin: Any) -> str | None:
    """The text of the right option: by its own letter ("B", "B. Paris"), or else by that of the other modality."""
    choices = options_of(item)
    for one in (item, twin):
        answer = one.get("answer") if isinstance(one, Mapping) else None
        letter = answer.partition(".")[0].strip() if isinstance(answer, str) else ""
        if letter in choices:
            return choices[letter]
    return None


def _trained(profiles: list[Profile]) -> Trained:
    """The training questions about some people."""
    rows = {
        kind: [example for profile in profiles for example in _training(profile, column, kind)]
        for kind, column in TRAINING_COLUMNS.items()
    }
    return Trained(rows["vqa"], rows["qa"])


def _training(profile: Profile, column: str, kind: str) -> Iterator[Example]:
    cell = mapping(profile.row, column, ("question", "answer"))
    for key, question in cell["question"].items():
        yield profile.asked(question, cell["answer"].get(key), kind == "vqa", f"{column}.{key}")
