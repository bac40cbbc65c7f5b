"""What is odd about the rows of CLEAR, MLLMU-Bench and TOFU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from unsee.benchmarks.findings import ConfigRows, Finding, empty_texts, nested, parted, some
from unsee.benchmarks.schemas import LETTERS, MLLMU_PERCENTAGES, PERCENTAGES
from unsee.metrics.answers import normalise
from unsee.system.strict import parse_json

# --- CLEAR


def clear_findings(found: Mapping[str, ConfigRows]) -> Iterator[Finding]:
    """What is odd about CLEAR: sets that should part or nest, twins that differ, pictures stored again and again."""
    for config, one in found.items():
        yield from empty_texts(config, one)
        yield from _clear_rows(config, one)
    for share in PERCENTAGES:
        retain = f"retain{100 - int(share)}"
        yield from parted(found, f"forget{share}", retain, "full", _photos)
        yield from parted(found, f"forget{share}+tofu", f"{retain}+tofu", "full+tofu", _union)
        yield from _perturbed(found, f"forget{share}")
    yield from nested(found, [f"forget{share}" for share in PERCENTAGES], _photos)
    everything = {picture for one in found.values() for picture in one.pictures if picture}
    stored = sum(sum(picture is not None for picture in one.pictures) for one in found.values())
    if everything and stored > len(everything):
        message = f"{len(everything)} different pictures are stored {stored} times, {stored / len(everything):.1f} each"
        yield Finding("note", "all", f"{message} ({sum(one.bytes for one in found.values()) / 1e6:,.0f} MB)")


def _photos(one: ConfigRows) -> list[Any]:
    return list(zip(one.pictures, (row.get("caption") for row in one.rows), strict=True))


def _union(one: ConfigRows) -> list[Any]:
    rows = zip(one.pictures, one.rows, strict=True)
    return [(picture, row.get("caption"), row.get("question"), row.get("answer")) for picture, row in rows]


def _perturbed(found: Mapping[str, ConfigRows], config: str) -> Iterator[Finding]:
    twin = f"{config}_perturbed"
    if not {config, twin} <= found.keys():
        return
    ours, theirs = (Counter(row.get("caption") for row in found[name].rows) for name in (config, twin))
    if missing := ours - theirs:
        yield Finding("note", f"{config}, {twin}", f"{missing.total()} captions have no perturbed row: {some(missing)}")
    if extra := theirs - ours:
        yield Finding("error", f"{config}, {twin}", f"{extra.total()} perturbed rows have no caption: {some(extra)}")


def _clear_rows(config: str, one: ConfigRows) -> Iterator[Finding]:
    rows = list(enumerate(one.rows, start=1))
    if config.endswith("+tofu"):
        neither = [number for number, row in rows if (row.get("caption") is None) == (row.get("question") is None)]
        if neither:
            yield Finding("error", config, f"rows that are not one of caption and question: {some(neither)}")
    for column in ("caption", "options"):
        bare = [number for number, row in rows if row.get(column) and one.pictures[number - 1] is None]
        if bare:
            yield Finding("error", config, f"rows with a {column} and no picture: {some(bare)}")
    if "name" in next(iter(one.rows), {}):
        silent = [n for n, row in rows if row.get("name") and str(row["name"]) not in str(row.get("caption"))]
        if silent:
            yield Finding("note", config, f"{len(silent)} captions do not say the name: rows {some(silent)}")
    yield from _alternatives(config, one)


def _alternatives(config: str, one: ConfigRows) -> Iterator[Finding]:
    rows = list(enumerate(one.rows, start=1))
    for column, answer in (("perturbed_captions", "caption"), ("perturbed_names", "name"), ("options", "answer")):
        if column not in next(iter(one.rows), {}):
            continue
        counts = Counter(len(row[column] or ()) for _, row in rows)
        if len(counts) > 1 or 0 in counts:
            shown = ", ".join(f"{times} rows with {length}" for length, times in sorted(counts.items()))
            yield Finding("error" if 0 in counts else "note", config, f"{column} differ in number: {shown}")
        right = [n for n, row in rows if row.get(answer) in (row[column] or ())]
        if right:
            yield Finding("note", config, f"{column} hold the right answer in {len(right)} rows: {some(right)}")


# --- MLLMU-Bench


def mllmu_findings(found: Mapping[str, ConfigRows]) -> Iterator[Finding]:
    """What is odd about MLLMU-Bench: sets that should part, options without the answer, trained questions."""
    for config, one in found.items():
        yield from _same_ids(config, one)
        for number, row in enumerate(one.rows, start=1):
            yield from _mllmu_row(f"{config}, row {number}", row)
    for share in MLLMU_PERCENTAGES:
        forget, retain = f"forget_{share}", f"retain_{100 - int(share)}"
        if {forget, retain, "Full_Set"} <= found.keys():
            ids = {name: {row.get("ID") for row in found[name].rows} for name in (forget, retain, "Full_Set")}
            if common := ids[forget] & ids[retain]:
                yield Finding("error", f"{forget}, {retain}", f"{len(common)} people are in both: {some(common)}")
            if ids[forget] | ids[retain] != ids["Full_Set"]:
                odd = (ids[forget] | ids[retain]) ^ ids["Full_Set"]
                yield Finding("note", f"{forget}, {retain}", f"together are not Full_Set: {some(odd)}")
    yield from nested(found, [f"forget_{share}" for share in MLLMU_PERCENTAGES], _ids)
    if "Full_Set" in found:
        for config in ("Test_Set", "ft_Data"):
            missing = set(_ids(found["Full_Set"])) - set(_ids(found[config])) if config in found else set()
            if missing:
                yield Finding("error", config, f"{len(missing)} people of Full_Set are missing: {some(missing)}")
    yield from _trained_questions(found)


def _ids(one: ConfigRows) -> list[Any]:
    return [row.get("ID") for row in one.rows]


def _same_ids(config: str, one: ConfigRows) -> Iterator[Finding]:
    twice = [number for number, count in Counter(_ids(one)).items() if count > 1]
    if twice:
        yield Finding("error", config, f"IDs that occur more than once: {some(twice)}")


def _mllmu_row(where: str, row: Mapping[str, Any]) -> Iterator[Finding]:
    for key in ("Image_Textual_Questions", "Pure_Text_Questions"):
        for item in (row.get("Classification_Task") or {}).get(key) or ():
            options = item.get("Options") or {}
            if options.get(item.get("Correct_Answer")) is None:
                answer = item.get("Correct_Answer")
                yield Finding("error", where, f"{key}: Correct_Answer is {answer!r}, none of {', '.join(LETTERS)}")
            if len(set(options.values())) < len(options):
                yield Finding("note", where, f"{key}: two options are the same")
    for item in row.get("Mask_Task") or ():
        if str(item.get("Question")).count("__") != 1:
            yield Finding("note", where, f"Mask_Task: not one blank (__) in {item.get('Question')!r}")
        if not item.get("Ground_Truth"):
            yield Finding("error", where, "Mask_Task: no Ground_Truth; an empty one would be right always")


def _trained_questions(found: Mapping[str, ConfigRows]) -> Iterator[Finding]:
    """How many evaluation questions occur among the training questions of the same person."""
    trained: set[tuple[Any, str]] = set()
    for row in found["ft_Data"].rows if "ft_Data" in found else ():
        try:
            trained |= {(row.get("ID"), normalise(str(one.get("Question")))) for one in parse_json(row["metadata"], "")}
        except (ValueError, TypeError, AttributeError):
            yield Finding("error", "ft_Data", f"metadata of ID {row.get('ID')!r} is no JSON list of questions")
    for config in ("Full_Set", "Test_Set"):
        asked = [
            (row.get("ID"), normalise(str(item.get("Question"))))
            for row in (found[config].rows if config in found else ())
            for item in _questions(row)
        ]
        seen = sum(one in trained for one in asked)
        if seen:
            yield Finding("note", f"{config}, ft_Data", f"{seen} of {len(asked)} evaluation questions are trained on")


def _questions(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in ("Image_Textual_Questions", "Pure_Text_Questions"):
        yield from (row.get("Classification_Task") or {}).get(key) or ()
    for key in ("Generation_Task", "Mask_Task"):
        yield from row.get(key) or ()


# --- TOFU


def tofu_findings(found: Mapping[str, ConfigRows]) -> Iterator[Finding]:
    """What is odd about TOFU: sets that should part, nest or match."""
    for config, one in found.items():
        yield from empty_texts(config, one)
    for share in PERCENTAGES:
        forget, retain = f"forget{share}", f"retain{100 - int(share)}"
        yield from parted(found, forget, retain, "full", _pairs)
        if {forget, f"{forget}_perturbed"} <= found.keys():
            ours, theirs = (_asked(found[name]) for name in (forget, f"{forget}_perturbed"))
            if ours != theirs:
                message = f"{len(ours ^ theirs)} questions are in one of them only: {some(ours ^ theirs)}"
                yield Finding("note", f"{forget}, {forget}_perturbed", message)
    yield from nested(found, [f"forget{share}" for share in PERCENTAGES], _pairs)


def _pairs(one: ConfigRows) -> list[Any]:
    return [(row.get("question"), row.get("answer")) for row in one.rows]


def _asked(one: ConfigRows) -> set[str]:
    return {str(row.get("question")) for row in one.rows}
