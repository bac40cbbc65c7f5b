"""What was asked and what was said: one row of measurement, in memory and on disk."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unsee.errors import InputError
from unsee.files import read_jsonl
from unsee.metrics.words import without_half_word


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
    choices: tuple[str, ...] = ()  # texts of the options, in the order of their letters
    choice_log_probs: tuple[float, ...] = ()  # of their texts as answers to the plain question
    choice_tokens: tuple[int, ...] = ()
    chosen: str | None = None  # raw, what was said to the question with lettered options
    objects: tuple[str, ...] | None = None  # all that the picture shows; None: not known
    truncated: bool | None = None  # `said` was cut before its turn had ended; None: not known, as in older files

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
    *("choices", "choice_log_probs", "choice_tokens", "chosen", "objects", "truncated"),
)
_NOTHING = {"objects": (None,)}  # where an empty list says something: there is nothing to be seen


def read_records(path: Path) -> list[Record]:
    """The records of one probe, as `measure_all` wrote them."""
    try:
        return [Record(**{name: _read(name, value) for name, value in row.items()}) for row in read_jsonl(path)]
    except TypeError as error:
        raise InputError(f"{path}: not a file of records ({error})") from None


def _read(name: str, value: Any) -> Any:
    """JSON has no NaN, which comes back as null, and no tuples."""
    if name == "log_prob":
        return float("nan") if value is None else value
    if isinstance(value, list):
        return tuple(float("nan") if item is None else item for item in value)
    return value
