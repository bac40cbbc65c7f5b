"""Work on rows that processes share, around a training: masks, references, looks, measurements.

Every case of `CASES` takes a folder of its own, two below that of the model, and gives what can be compared as JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests import tiny
from tests.training.lockstep import loaded_for
from tests.vlm.test_matrix import spanned
from unsee.data import Example, Probe
from unsee.errors import InputError
from unsee.evaluation.measure import measure
from unsee.evaluation.span_likelihood import span_likelihood
from unsee.methods import build
from unsee.methods.gate import Gate
from unsee.training.asking import right_answers
from unsee.training.config import UnlearnConfig
from unsee.training.guard import HeldOutGuard
from unsee.training.saliency import TIE
from unsee.training.trainer import UnlearnTrainer
from unsee.types import Part
from unsee.vlm import Encoder, LoadedModel, Policy
from unsee.vlm.generate import answers

MIXED = tiny.examples(7)  # every third in words alone, the first among them
SEEN, TOLD = ([row for row in tiny.examples(12, 1) if (row.image is None) == told] for told in (False, True))
# Of two processes that take turns one has all pictures: in the other no gradient reaches what sees.
LOPSIDED = [row for pair in zip(SEEN[:3], TOLD[:3], strict=True) for row in pair]
KEPT = [*SEEN[3:], *TOLD]


class Counted(Encoder):
    """An encoder that counts the rows that this process has had a look at."""

    rows = 0

    def batch(self, examples: Sequence[Example], *arguments: Any, **options: Any) -> Any:
        self.rows += len(examples)
        return super().batch(examples, *arguments, **options)


def counted(loaded: LoadedModel) -> LoadedModel:
    """The same model with an encoder that counts."""
    return replace(loaded, encoder=Counted(loaded.processor, loaded.encoder.end_of_turn_ids))


def trainer_of(
    folder: Path, method: Any, part: Part = "language", lora: bool = False, *, guard: bool = False, **given: Any
) -> UnlearnTrainer:
    """A training that does not begin: what is made at the starting weights is made with it."""
    loaded = counted(loaded_for(part, lora, folder.parents[1]))
    files = {name: str(folder / f"{name}.safetensors") for name in ("saliency_file", "reference_file")}
    settings = {name: given.pop(name) for name in ("saliency_batch_size",) if name in given}
    config = UnlearnConfig(
        output_dir=str(folder), max_steps=1, per_device_train_batch_size=2, save_strategy="no", use_cpu=True,
        report_to="none", disable_tqdm=True, **{"saliency_batch_size": 1, **files, **settings},
    )  # fmt: skip
    callbacks: list[Any] = [HeldOutGuard(loaded.encoder, MIXED, 1.0, 1, 2)] if guard else []
    sets = {"forget": MIXED, "retain": KEPT, **given}
    return UnlearnTrainer(loaded, config, method=method, callbacks=callbacks, **sets)


def mask(folder: Path, method: str, part: Part = "language", lora: bool = False, **given: Any) -> Any:
    """The bits of a mask, by weight, and how many weights pass of those that are reached."""
    made = trainer_of(folder, build(method), part, lora, **given)
    assert made.mask is not None
    digests = {name: hashlib.sha256(bits.numpy().tobytes()).hexdigest() for name, bits in made.mask.bits.items()}
    return {"bits": digests, "counts": made.mask.counts, "rows": made.encoder.rows}  # type: ignore[attr-defined]


def near(folder: Path, apart: float) -> Any:
    """A mask of the same rows on both sides, in another order, whose gamma is a little off what they come to."""
    rows = SEEN[:5]
    gate = Gate(gamma=(1 + TIE) * (1 + apart))
    return mask(folder, "simnpo", "language", gate=gate, forget=rows, retain=rows[::-1])


def reference(folder: Path) -> Any:
    """The remembered log-probabilities of forget rows and refusals."""
    made: Any = trainer_of(folder, build("dpo"), "projector")
    return {"log_probs": made.reference.log_probs.tolist(), "rows": made.encoder.rows}


def guard(folder: Path) -> Any:
    """The first look of a guard."""
    made: Any = trainer_of(folder, build("grad_diff"), "projector", guard=True)
    (watch,) = (callback for callback in made.callback_handler.callbacks if isinstance(callback, HeldOutGuard))
    return {"start": watch.start, "rows": made.encoder.rows}


def asked(folder: Path) -> Any:
    """Whether each row is right, some by what the model says."""
    loaded: Any = counted(tiny.llava())
    replies = answers(loaded.model, loaded.encoder, SEEN[:3], 2)
    pairs = zip(SEEN[:3], replies, strict=True)
    named = [replace(row, subject=said.text, answer=f"{said.text} there") for row, said in pairs]
    rows, loaded.encoder.rows = [*named, *MIXED], 0
    return {"right": right_answers(Policy(loaded.model), loaded.encoder, rows, 2), "rows": loaded.encoder.rows}


def spans(folder: Path) -> Any:
    """How likely the spans of captions are."""
    loaded: Any = counted(tiny.llava())
    tokens, roles = span_likelihood(loaded, [spanned(row) for row in MIXED], 2)
    return {
        "tokens": tokens,
        "roles": {name: vars_of(role) for name, role in roles.items()},
        "rows": loaded.encoder.rows,
    }


def vars_of(role: Any) -> Any:
    """Its numbers."""
    return [role.spans, role.tokens, role.mean]


def measured(folder: Path, rows: Sequence[Example], batch_size: int = 2) -> Any:
    """The records of a probe."""
    return [record.row() for record in measure(tiny.llava(), Probe("asked", rows), batch_size, 3)]


def chosen(row: Example) -> Example:
    """With options, a paraphrase and wrong answers."""
    options = (row.answer, "Bonn", "Kyiv")
    return replace(row, choices=options, paraphrased_answers=("in " + row.answer,), perturbed_answers=options[1:])


def broken(folder: Path, work: Callable[[Path, Sequence[Example]], Any]) -> Any:
    """What each process ends with when one of them meets a picture that is none."""
    rows = [*SEEN[:3], replace(SEEN[3], image=b"no picture")]  # one by one, the last is the second process's
    try:
        return work(folder, rows)
    except InputError as error:
        return [type(error).__name__, str(error)]


CASES: dict[str, Callable[[Path], Any]] = {
    "mask-projector": lambda folder: mask(folder, "mmunlearner", "projector"),
    "mask-vision-lora": lambda folder: mask(folder, "mmunlearner", "vision", lora=True),
    "mask-lopsided": lambda folder: mask(folder, "mmunlearner", "vision", forget=LOPSIDED),
    "mask-one-row": lambda folder: mask(folder, "gated_npo", forget=MIXED[1:2], saliency_batch_size=2),
    "mask-one-row-lora": lambda folder: mask(folder, "gated_npo", lora=True, forget=MIXED[1:2], retain=SEEN[:2]),
    "mask-pairs": lambda folder: mask(folder, "simnpo", gate=Gate(gamma=0.7), saliency_batch_size=2),
    "mask-words": lambda folder: mask(folder, "simnpo", gate=Gate(gamma=2.0), forget=TOLD[:1], retain=TOLD[1:]),
    "near-below": lambda folder: near(folder, -1e-9),
    "near-above": lambda folder: broken(folder, lambda folder, _: near(folder, 1e-9)),
    "reference": reference,
    "guard": guard,
    "asked": asked,
    "spans": spans,
    "measure": lambda folder: measured(folder, MIXED),
    "measure-one-batch": lambda folder: measured(folder, MIXED[:2]),
    "measure-choices": lambda folder: measured(folder, [chosen(row) for row in MIXED], 3),
    "broken-mask": lambda folder: broken(folder, lambda folder, rows: mask(folder, "mmunlearner", forget=rows)),
    "broken-measure": lambda folder: broken(folder, lambda folder, rows: measured(folder, rows, 1)),
    "measure-again": lambda folder: measured(folder, MIXED),  # they are still in step
}  # fmt: skip
