"""MLLMU-Bench (Liu et al. 2024, arXiv 2410.22108): fictitious profiles, three tasks, each with and without a picture.

Questions for training (`metadata`) and for evaluation (multiple choice, fill-in, generation) are different columns;
training rows come from `ft_Data` of the benchmark or from the second repository, `MLLMMU/baseline_train_split`. For
textual rows the name takes the place of "this person". No question that an evaluation asks in words is ever in a
preserve set: it is taken out, whatever its case and punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from unsee.benchmarks.mllmu.columns import TASK_COLUMNS
from unsee.benchmarks.profiles import BLANK, LETTERS, Profile, Trained, name_in, probe_rows, requested, retain_of
from unsee.benchmarks.sets import assembled, wrong_among
from unsee.benchmarks.source import Folder, Source, open_source, text
from unsee.benchmarks.spec import Selection
from unsee.data.example import Benchmark, Example
from unsee.data.rows import Row
from unsee.errors import InputError
from unsee.metrics.answers import normalise
from unsee.system.progress import progress
from unsee.system.strict import parse_json

TRAINING_REPOSITORY = "MLLMMU/baseline_train_split"  # a model repository, although it holds data

_SOMEBODY = re.compile(
    r"\b(?:this|the) (?:person|individual|man|woman|figure|character)"
    r"(?: (?:in|shown in|depicted in|pictured in|from) (?:this|the) (?:image|photo|photograph|picture))?\b",
    re.IGNORECASE,
)
_SEEN = re.compile(r"\b(?:image|photo|photograph|picture|shown|depicted|wearing)\b", re.IGNORECASE)


def load_mllmu(source: Source, selection: Selection) -> Benchmark:
    """MLLMU-Bench from the hub (`MLLMMU/MLLMU-Bench`) or from a folder in its layout.

    A visual request forgets the questions about photographs, a textual one those by name. The retain set follows from
    the split; which of a person's test images is shown, from the seed. Training questions are in the source, or else
    in the `training` of the selection: `MLLMMU/baseline_train_split`, or a folder.

    Returns:
        Probes `SET_TASK_vqa` and `SET_TASK_qa` for the sets forget, forget_test (changed images of the same people),
        retain and celebrity, and the tasks of `unsee.benchmarks.profiles.TASKS`.

    Raises:
        InputError: a file, column or row is not as published.
    """
    split, request, seed = selection.split, selection.request, selection.seed
    retain_config = retain_of(split)
    profiles = {config: profiles_of(source, config, seed) for config in (split, retain_config, "Retain_Set")}
    tested = profiles_of(source, "Test_Set", seed, {profile.number for profile in profiles[split]})
    names = {profile.number: profile.name for config in (split, retain_config) for profile in profiles[config]}
    sets = {"forget": profiles[split], "forget_test": tested, "retain": profiles[retain_config]}
    rows = probe_rows({**sets, "celebrity": profiles["Retain_Set"]}, questions_about)

    photos = _training_rows(source, selection.training, (split, retain_config), names)
    forgotten, retained = (Trained(some, _by_name(some, names)) for some in photos)
    training = requested(f"MLLMU-Bench {split}, {request} request", request, forgotten, retained, rows)
    return assembled(training, rows, selection.probe_rows)


def profiles_of(source: Source, config: str, seed: int, wanted: set[str] | None = None) -> list[Profile]:
    """The profiles of a set, or those with wanted IDs; of several images of one person the seed draws one."""
    image = "images" if config == "Test_Set" else "image"
    profiles = []
    for row in progress(source.rows(config, ("ID", "biography", image, *TASK_COLUMNS)), f"reading {config}"):
        number = text(row, "ID")
        if wanted is not None and number not in wanted:
            continue
        shown = row.values[image]
        if image == "images":
            if not isinstance(shown, list) or not shown:
                raise row.fail("images", "no images; a person of the test set has at least one")
            shown = Random(f"test image/{seed}/{number}").choice(shown)
        if shown is None:
            raise row.fail(image, "null; this row needs a picture")
        profiles.append(Profile(row, number, _name_of(row, number), shown))
    return profiles


def _name_of(row: Row, number: str) -> str:
    """The name that the biography states, or the number where it states none."""
    biography = row.values.get("biography")
    try:
        facts = parse_json(biography, "biography") if isinstance(biography, str) else None
    except InputError:
        facts = None
    return name_in(facts, number)


def questions_about(profile: Profile) -> Iterator[tuple[str, Example]]:
    """What the three tasks ask about one person."""
    classification = profile.row.values["Classification_Task"]
    if not isinstance(classification, Mapping):
        raise profile.row.fail("Classification_Task", "null; it needs Image_Textual_Questions and Pure_Text_Questions")
    for key, seen in (("Image_Textual_Questions", True), ("Pure_Text_Questions", False)):
        for number, item in enumerate(classification.get(key) or ()):
            column = f"Classification_Task.{key}[{number}]"
            options = _options(item, profile.row, column)
            answer = options.get(str(item.get("Correct_Answer")))
            if answer is None:
                problem = f"Correct_Answer is {item.get('Correct_Answer')!r}, none of {', '.join(options)}"
                raise profile.row.fail(column, problem)
            choices = tuple(options.values())
            wrong = wrong_among(choices, answer)
            values = {"choices": choices, "perturbed_answers": wrong, "fact": f"classification {number}"}
            yield "classification", profile.asked(item.get("Question"), answer, seen, column, **values)
    for task, name in (("cloze", "Mask_Task"), ("generation", "Generation_Task")):
        for number, item in enumerate(profile.row.values[name] or ()):
            column = f"{name}[{number}]"
            kind = item.get("Type")
            if kind not in ("Image_Textual", "Pure_Text"):
                raise profile.row.fail(column, f"Type is {kind!r}; it is Image_Textual or Pure_Text")
            question = item.get("Question")
            if task == "cloze" and isinstance(question, str):
                question = BLANK + question
            seen = kind == "Image_Textual"
            yield task, profile.asked(question, item.get("Ground_Truth"), seen, column, fact=f"{task} {number}")


def _options(item: Mapping[str, Any], row: Row, column: str) -> dict[str, str]:
    options = item.get("Options")
    if not isinstance(options, Mapping):
        raise row.fail(column, "no Options")
    return {letter: options[letter] for letter in LETTERS if options.get(letter) is not None}


def _training_rows(
    source: Source, training: str | Path | None, configs: tuple[str, str], names: Mapping[str, str]
) -> tuple[list[Example], list[Example]]:
    """The training questions about photographs, of the forgotten and of the retained."""
    columns = ("image", "ID", "metadata")
    if training is not None:
        opened = _open_training(training, configs)
        forgotten, retained = (
            [row for record in opened.rows(config, columns) for row in _training_questions(record, names)]
            for config in configs
        )
        return forgotten, retained
    if not source.has("ft_Data"):
        raise InputError(
            f"{source}: no ft_Data, so no training questions; give training={TRAINING_REPOSITORY!r} or its folder"
        )
    by_person: dict[str, list[Example]] = {}
    for row in progress(source.rows("ft_Data", columns), "reading ft_Data"):
        by_person[text(row, "ID")] = list(_training_questions(row, names))
    split = [text(row, "ID") for row in source.rows(configs[0], ("ID",))]
    others = [text(row, "ID") for row in source.rows(configs[1], ("ID",))]
    missing = [number for number in [*split, *others] if number not in by_person]
    if missing:
        raise InputError(f"{source}: ft_Data has no row with ID {missing[0]!r}, which {configs[0]} or its rest has")
    return [row for key in split for row in by_person[key]], [row for key in others for row in by_person[key]]


def _open_training(training: str | Path, configs: Sequence[str]) -> Source:
    """The second repository; on the hub it is a model repository, which only whole files can be had from."""
    opened = open_source(training)
    if isinstance(opened, Folder):
        return opened
    from huggingface_hub import snapshot_download

    from unsee.data.tables import legible

    with legible(f"{training}: cannot be fetched from the hub", "fetch it by hand and give its folder"):
        patterns = [f"{config}/*" for config in configs]
        return Folder(Path(snapshot_download(opened.name, repo_type="model", allow_patterns=patterns)))


def _training_questions(row: Row, names: Mapping[str, str]) -> Iterator[Example]:
    number = text(row, "ID")
    questions = parse_json(text(row, "metadata"), f"{row.where}, metadata", one_line=True)
    if not isinstance(questions, list) or not all(isinstance(entry, Mapping) for entry in questions):
        raise row.fail("metadata", "must hold a list of objects with Question and Answer")
    if row.values.get("image") is None:
        raise row.fail("image", "null; this row needs a picture")
    for place, entry in enumerate(questions):
        asked = {"image": row.values["image"], "question": entry.get("Question"), "answer": entry.get("Answer")}
        known = {"subject": names.get(number, f"person {number}"), "id": f"{number}/metadata[{place}]"}
        yield Row({**asked, **known}, f"{row.where}, metadata[{place}]", row.folder).example()


def _by_name(rows: Sequence[Example], names: Mapping[str, str]) -> list[Example]:
    """The same questions in words: the name for "this person"; those that need eyes, or ask for the name, are left out.

    A question that only says "he" or "she" needs the picture as well.
    """
    known = set(names.values())
    by_question = {}
    for row in rows:
        name = row.subject or ""
        question = _SOMEBODY.sub(lambda _: name, row.question)  # noqa: B023  (called at once)
        if name not in known or name not in question or normalise(name) in normalise(row.answer):
            continue
        if not _SEEN.search(question):
            by_question[question] = Example(question, row.answer, subject=name, id=f"{row.id}/by name")
    return list(by_question.values())
