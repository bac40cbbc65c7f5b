"""What `unsee metrics amber` reads and prints: AMBER's own files, or files of one's own in their form."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unsee.errors import InputError, quoted
from unsee.metrics.amber import DIMENSIONS, Dimension, amber, amber_score, dimension, discriminative
from unsee.metrics.amber_words import Vocabulary, parse_relations, plain
from unsee.metrics.pope import YesNo, tolerant_answer
from unsee.system.files import numbered_jsonl, read_json, read_text


@dataclass(frozen=True, slots=True)
class _Picture:
    """What a picture to be described shows, and what it tempts to hallucinate."""

    truth: tuple[str, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Question:
    """A yes/no question."""

    label: YesNo
    dimension: Dimension


def amber_scores(responses: Path, annotations: Path, relations: Path, safe_words: Path | None = None) -> dict[str, Any]:
    """What `unsee metrics amber` prints: rates in per cent, response length in words.

    Only annotations with a response are scored. What no response belongs to is NaN.

    Args:
        responses: list of {"id", "response"}, as JSON or (.jsonl) one per line.
        annotations: AMBER's annotations.json: list of {"id", "type", "truth", "hallu"}.
        relations: AMBER's relation.json: {object: [associated word, ...]}.
        safe_words: AMBER's safe_words.txt: one word per line.

    Raises:
        InputError: a file is broken, an id is unknown or answered twice, or an object is not in the relations.
    """
    vocabulary = parse_relations(read_json(relations), str(relations))
    safe = frozenset(plain(line) for line in read_text(safe_words).splitlines()) if safe_words else frozenset()
    annotated = _annotations(annotations)
    described: list[tuple[str, _Picture]] = []
    answered: list[tuple[str, _Question]] = []
    for where, name, response in _responses(responses):
        match annotated.get(name):
            case _Picture() as picture:
                _check_listed(picture, vocabulary, f"{annotations}, id {name}", relations)
                described.append((response, picture))
            case _Question() as question:
                answered.append((response, question))
            case None:
                raise InputError(f"{where}: id {name} is not in {annotations}; respond to what is annotated")
    generative = _generative(described, vocabulary, safe)
    return generative | _discriminative(answered, generative["chair"])


def _generative(
    described: Sequence[tuple[str, _Picture]], vocabulary: Vocabulary, safe: frozenset[str]
) -> dict[str, Any]:
    result = amber(
        [vocabulary.words(response) for response, _ in described],
        [picture.truth for _, picture in described],
        [picture.targets for _, picture in described],
        vocabulary,
        safe,
    )
    rates = {name: 100 * getattr(result, name) for name in ("chair", "cover", "hal", "cog", "cog_repo")}
    words = sum(len(response.split()) for response, _ in described)
    rates["mean_words"] = words / max(1, len(described))
    if not described:  # no description is no good description
        rates = dict.fromkeys(rates, math.nan)
    return rates | {"responses": len(described)}


def _discriminative(answered: Sequence[tuple[str, _Question]], chair: float) -> dict[str, Any]:
    scores = _questions(answered)
    score = 100 * amber_score(chair / 100, scores["f1"] / 100)
    by_dimension = {name: _questions([row for row in answered if row[1].dimension == name]) for name in DIMENSIONS}
    return scores | {"amber_score": score, "dimensions": by_dimension}


def _questions(answered: Sequence[tuple[str, _Question]]) -> dict[str, Any]:
    result = discriminative(
        [tolerant_answer(response) for response, _ in answered], [question.label for _, question in answered]
    )
    rates = {name: 100 * getattr(result, name) for name in ("accuracy", "precision", "recall", "f1")}
    return rates | {"questions": result.n}


def _check_listed(picture: _Picture, vocabulary: Vocabulary, where: str, relations: Path) -> None:
    for name in (*picture.truth, *picture.targets):
        if name not in vocabulary.associated:
            raise InputError(f"{where}: {name!r} is not in {relations}; add it there, with [] if no word goes with it")


def _responses(path: Path) -> Iterator[tuple[str, str, str]]:
    """Where each response stands, its id and its text."""
    seen: set[str] = set()
    for where, row in _rows(path):
        name, response = _id(row, where), row.get("response")
        if not isinstance(response, str):
            raise InputError(f"{where}: response is {quoted(response)}; it must be text, empty if nothing was said")
        if name in seen:
            raise InputError(f"{where}: id {name} has a response already; give one for each id")
        seen.add(name)
        yield where, name, response
    if not seen:
        raise InputError(f"{path}: holds no responses; each is an object with id and response")


def _annotations(path: Path) -> dict[str, _Picture | _Question]:
    annotated: dict[str, _Picture | _Question] = {}
    for where, row in _rows(path):
        name = _id(row, where)
        if name in annotated:
            raise InputError(f"{where}: id {name} is annotated already; give each id once")
        annotated[name] = _annotation(row, where)
    return annotated


def _annotation(row: Mapping[str, Any], where: str) -> _Picture | _Question:
    kind, truth = row.get("type"), row.get("truth")
    if kind == "generative":
        return _Picture(_names(truth, "truth", where), _names(row.get("hallu"), "hallu", where))
    about = dimension(kind) if isinstance(kind, str) else None
    if about is None:
        raise InputError(f"{where}: type is {quoted(kind)}; it is generative, discriminative-... or relation")
    if truth not in ("yes", "no"):
        raise InputError(f"{where}: truth is {quoted(truth)}; it is 'yes' or 'no'")
    return _Question(truth, about)


def _names(value: object, key: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InputError(f"{where}: {key} is {quoted(value)}; it must be a list of object names")
    return tuple(map(plain, value))


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a JSON list or of JSON Lines, and where each stands."""
    if path.suffix == ".jsonl":
        yield from ((f"{path}, line {number}", row) for number, row in numbered_jsonl(path))
        return
    rows = read_json(path)
    if not isinstance(rows, list):
        raise InputError(f"{path}: must be one JSON list of objects, each with its id (or JSON Lines in a .jsonl file)")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise InputError(f"{path}, entry {number}: {quoted(row)} where an object is expected")
        yield f"{path}, entry {number}", row


def _id(row: Mapping[str, Any], where: str) -> str:
    value = row.get("id")
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(f"{where}: id is {quoted(value)}; it must be a number or text")
    return str(value)
