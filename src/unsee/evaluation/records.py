"""What was asked and what was said: one row of measurement, in memory and on disk."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import ConfigDict, create_model

from unsee.errors import InputError
from unsee.metrics.answers import ROUNDING
from unsee.metrics.words import without_half_word
from unsee.system.files import numbered_jsonl
from unsee.system.typed import typed


@dataclass(frozen=True, slots=True)
class Record:
    """One row of measurement.

    What an example does not have (paraphrases, choices, ...) its record does not have either, in memory or on disk.
    Log-probabilities are sums over an answer's tokens, in nats; numbers of tokens include the end of turn.
    """

    probe: str
    index: int  # place in the probe
    id: str | None
    subject: str | None
    fact: str | None
    question: str
    expected: str
    said: str  # raw, as decoded
    correct: bool  # exact match after normalisation, with the expected or a paraphrased answer
    log_prob: float  # of the expected answer with its end of turn, summed over tokens; nats
    tokens: int  # of the expected answer, the end of turn with them
    paraphrased_log_probs: tuple[float, ...] = ()  # of the answers that are right too, in the example's order
    paraphrased_tokens: tuple[int, ...] = ()
    perturbed_log_probs: tuple[float, ...] = ()  # of the wrong answers
    perturbed_tokens: tuple[int, ...] = ()
    answer_keywords: tuple[str, ...] = ()  # words of the expected answer that give it away
    choices: tuple[str, ...] = ()  # texts of the options, in the order of their letters
    choice_log_probs: tuple[float, ...] = ()  # of their texts as answers to the plain question
    choice_tokens: tuple[int, ...] = ()
    chosen: str | None = None  # raw, what was said to the question with lettered options
    objects: tuple[str, ...] | None = None  # all that the picture shows; None: not known
    truncated: bool | None = None  # `said` was cut before its turn had ended; None: not known, as in older files
    image: str | None = None  # sha256 of the picture that was shown; None: no picture, or not known, as in older files

    @property
    def whole_words(self) -> str:
        """What was said; of an answer that was cut, up to its last whole word, as half a word is none."""
        return without_half_word(self.said) if self.truncated else self.said

    def row(self) -> dict[str, Any]:
        """For a JSON line; without what the example does not have."""
        row = asdict(self)
        left_out = [name for name in _OPTIONAL if row[name] in _NOTHING.get(name, ((), None))]
        return {name: value for name, value in row.items() if name not in left_out}


_OPTIONAL = (
    *("paraphrased_log_probs", "paraphrased_tokens", "perturbed_log_probs", "perturbed_tokens"),
    *("answer_keywords", "choices", "choice_log_probs", "choice_tokens", "chosen", "objects", "truncated", "image"),
)
_NOTHING = {"objects": (None,)}  # where an empty list says something: there is nothing to be seen


def _row() -> Any:
    """The type of a row. Pydantic, where it is strict, takes no row for a dataclass, so this has the same fields."""
    hints = get_type_hints(Record)
    own: dict[str, Any] = {
        field.name: (hints[field.name], ... if field.default is MISSING else field.default) for field in fields(Record)
    }
    return create_model("Row", __config__=ConfigDict(extra="forbid"), **own)


_Row = _row()


def read_records(path: Path) -> list[Record]:
    """The records of one probe, as `measure_all` wrote them.

    Raises:
        InputError: a line is no record, a log-probability is above 0 or no number, or a row of the probe stands there
            twice.
    """
    records: list[Record] = []
    lines: dict[int, int] = {}  # by the place of the row in its probe
    for line, row in numbered_jsonl(path):
        where = f"{path}, line {line}"
        values = {name: _read(name, value) for name, value in row.items()}
        typed(values, _Row, where, strict=True)
        record = Record(**values)
        _check(record, where)
        first = lines.setdefault(record.index, line)
        if first != line:
            raise InputError(
                f"{path}, line {line}: row {record.index} stands in line {first} already; keep one of them"
            )
        records.append(record)
    return records


def _check(record: Record, where: str) -> None:
    """InputError for log-probabilities that cannot be."""
    for name, log_probs, tokens in (
        ("log_prob", (record.log_prob,), (record.tokens,)),
        ("paraphrased_log_probs", record.paraphrased_log_probs, record.paraphrased_tokens),
        ("perturbed_log_probs", record.perturbed_log_probs, record.perturbed_tokens),
        ("choice_log_probs", record.choice_log_probs, record.choice_tokens),
    ):
        if len(log_probs) != len(tokens) or not all(count >= 1 for count in tokens):
            raise InputError(f"{where}: {name} needs a number of tokens each, 1 or more")
        for value, count in zip(log_probs, tokens, strict=True):
            if value > ROUNDING * count:
                raise InputError(f"{where}: {name} {value:g} is above 0; log-probabilities are not, losses are")


def _read(name: str, value: Any) -> Any:
    """JSON has no NaN, which comes back as null, and no tuples."""
    if name == "log_prob":
        return float("nan") if value is None else value
    if isinstance(value, list):
        return tuple(float("nan") if item is None else item for item in value)
    return value
