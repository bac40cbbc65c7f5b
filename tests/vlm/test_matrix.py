"""Every method on every family of models, with whole weights, adapters, and adapters on a base in four bits.

A new method joins through `METHODS`, a new family through `ALL_FAMILIES`. Models are built once and put back to their
start before each test.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests import tiny
from tests.families import ALL_FAMILIES, SPACE_FIRST, weights_of
from unsee.data import Example
from unsee.data.example import AnswerSpan
from unsee.methods import METHODS, UnlearnBatch
from unsee.methods import build as build_method
from unsee.training.config import UnlearnConfig
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm import IGNORED, Batch, LoadedModel, LoraOptions, Part, Policy, load, part_of_parameters

# Every part may move in two of the three and stays in the third.
WAYS: dict[str, tuple[Part, ...]] = {
    "weights": ("vision", "language"),
    "lora": ("projector", "language"),
    "4bit": ("vision", "projector"),
}
STEPS = [name for name in METHODS if METHODS[name].needs.forget or METHODS[name].needs.retain]


def spanned(example: Example) -> Example:
    """With parts of its answer to be raised, lowered and held, for methods that want them."""
    whole = len(example.answer)
    spans = (AnswerSpan(0, 2, "positive"), AnswerSpan(2, whole, "negative"), AnswerSpan(0, whole, "sentence"))
    return replace(example, spans=spans)


# Of each three rows one is in words alone, and images become unequal numbers of tokens. Answers differ.
FORGET = tiny.examples(3)
RETAIN = tiny.examples(3, seed=1)

each_family = pytest.mark.parametrize("family", ALL_FAMILIES)
each_way = pytest.mark.parametrize("way", WAYS)
each_cell = pytest.mark.parametrize(
    ("method", "family", "way"),
    [
        # Four bits are slow on a CPU: every family with one method and every method with one family stand for the rest.
        pytest.param(
            *cell,
            id="-".join(cell),
            marks=[pytest.mark.slow] if way == "4bit" and method != "npo" and family != "llava" else [],
        )
        for cell in product(METHODS, ALL_FAMILIES, WAYS)
        for method, family, way in [cell]
    ],
)
Fresh = Callable[[str, str], LoadedModel]


@pytest.fixture(autouse=True, scope="module")
def _quick_collections() -> Iterator[None]:
    """Every training ends in a garbage collection, which is slow with all of transformers on the heap."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """Gives a family's model, loaded from its folder in one of the ways, at its start."""
    folders: dict[str, Path] = {}
    held: dict[tuple[str, str], tuple[LoadedModel, dict[str, Tensor]]] = {}

    def at_start(family: str, way: str) -> LoadedModel:
        if way == "4bit" and find_spec("bitsandbytes") is None:
            pytest.skip("the package bitsandbytes is not installed")
        if family not in folders:
            folders[family] = tiny.save(ALL_FAMILIES[family](), tmp_path_factory.mktemp(family))
        if (family, way) not in held:
            loaded = loaded_in(way, folders[family])
            held[family, way] = (loaded, weights_of(loaded.model))
        loaded, start = held[family, way]
        with torch.no_grad():
            for name, weight in loaded.model.named_parameters():
                weight.grad = None
                if not torch.equal(weight, start[name]):
                    weight.copy_(start[name])
        loaded.model.eval()
        return loaded

    return at_start


def loaded_in(way: str, folder: Path) -> LoadedModel:
    torch.manual_seed(0)  # of the adapter's first half
    lora = None if way == "weights" else LoraOptions(rank=2)
    return load(
        folder, parts=WAYS.get(way, ("vision",)), lora=lora, quantize="4bit" if way == "4bit" else None, device="cpu"
    )


def trainer_of(loaded: LoadedModel, method: str, folder: Path, **settings: Any) -> UnlearnTrainer:
    """One step on all rows, unless settings say otherwise."""
    forget = [spanned(example) for example in FORGET] if METHODS[method].needs.spans else FORGET
    defaults: dict[str, Any] = {
        "max_steps": 1, "per_device_train_batch_size": 3, "learning_rate": 0.01, "save_strategy": "no",
        "use_cpu": True, "report_to": "none", "disable_tqdm": True,
    }  # fmt: skip
    config = UnlearnConfig(output_dir=str(folder), **defaults | settings)
    return UnlearnTrainer(loaded, config, method=build_method(method), forget=forget, retain=RETAIN)


def batches_of(trainer: UnlearnTrainer) -> dict[str, Any]:
    """By role, what the trainer would see in its step."""
    return {role: Batch.from_dict(parts) for role, parts in trainer._collate([0, 1, 2]).items()}


@cache
def reached(fresh: Fresh, family: str, way: str) -> set[str]:
    """The weights that the likelihood of an answer depends on: LLaVA reads its tower before the last layer."""
    loaded = fresh(family, way)
    for examples in (FORGET, RETAIN):
        (-Policy(loaded.model).answer_log_probs(loaded.encoder.batch(examples)).sum()).backward()
    gradients = {name: weight.grad for name, weight in loaded.model.named_parameters()}
    # A bias that shifts all keys alike changes nothing but by rounding.
    return {name for name, gradient in gradients.items() if gradient is not None and gradient.abs().max() > 1e-7}


class Watched(Policy):
    """Notes whether answers were looked at."""

    looked_at_answers = False

    def answer_logits(self, batch: Batch) -> Any:
        Watched.looked_at_answers = True
        return super().answer_logits(batch)


@each_cell
def test_one_step_moves_what_should_move_and_nothing_else(
    method: str, family: str, way: str, fresh: Fresh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, loaded = reached(fresh, family, way), fresh(family, way)
    part_of = part_of_parameters(loaded.model)
    start = weights_of(loaded.model)
    monkeypatch.setattr("unsee.training.trainer.Policy", Watched)
    Watched.looked_at_answers = False
    trainer_of(loaded, method, tmp_path).train()
    now = dict(loaded.model.named_parameters())
    moved = {name for name, weight in now.items() if not torch.equal(weight, start[name])}
    assert {part_of[name] for name in moved} == set(WAYS[way])
    assert all(bool(torch.isfinite(now[name]).all()) for name in moved)
    if way != "weights":
        assert all(".lora_" in name for name in moved)
    if Watched.looked_at_answers and not METHODS[method].needs.saliency:
        # Of a fresh adapter the second factor moves first, as the gradient of the first one is zero.
        assert moved >= expected


@each_family
@pytest.mark.parametrize("method", STEPS)
def test_padding_does_not_change_the_loss(method: str, family: str, fresh: Fresh, tmp_path: Path) -> None:
    loaded = fresh(family, "weights")
    trainer = trainer_of(loaded, method, tmp_path)
    roles = batches_of(trainer)
    wider = {role: padded(batch, 5, loaded.encoder.pad_token_id) for role, batch in roles.items()}
    plain = terms_of(trainer, roles)
    assert plain
    assert terms_of(trainer, wider) == pytest.approx(plain, rel=1e-4, abs=1e-5)


def padded(batch: Batch, columns: int, pad_token_id: int) -> Batch:
    """With more padding on the left of every row."""
    width = batch.inputs["input_ids"].shape[1]
    inputs = {
        name: F.pad(value, (columns, 0), value=pad_token_id if name == "input_ids" else 0)
        if value.shape == (len(batch), width)
        else value
        for name, value in batch.inputs.items()
    }
    return replace(batch, inputs=inputs)


@torch.no_grad()
def terms_of(trainer: UnlearnTrainer, roles: dict[str, Any]) -> dict[str, float]:
    roles = {"forget": None, "retain": None} | roles
    batch = UnlearnBatch(**roles, prepared=trainer.prepared)
    terms = trainer.method.terms(batch, Policy(trainer.policy_model), trainer.reference)
    return {term.name: term.value.item() for term in terms}


@each_family
@pytest.mark.parametrize("method", STEPS)
def test_labels_are_answers_and_their_end_whatever_the_role(
    method: str, family: str, fresh: Fresh, tmp_path: Path
) -> None:
    loaded = fresh(family, "weights")
    trainer = trainer_of(loaded, method, tmp_path)
    own = {"forget": FORGET, "retain": RETAIN, "refusals": trainer.refusals}
    offsets = {"refusals": len(FORGET)}
    config: Any = loaded.model.config
    image = config.image_token_id
    for role, batch in batches_of(trainer).items():
        assert len(batch) == 3
        for place, labels in zip(batch.indices.tolist(), batch.labels, strict=True):
            said = loaded.encoder.tokenizer.decode(labels[labels != IGNORED])
            answer = said.removesuffix(loaded.encoder.tokenizer.eos_token)
            assert answer != said, "no end of turn"
            answer = answer[1:] if family in SPACE_FIRST else answer
            if role in own:
                assert answer == own[role][place - offsets.get(role, 0)].answer
            else:  # answers of others
                assert answer in {example.answer for example in FORGET} - {FORGET[place].answer}
            assert image not in labels
        assert (batch.inputs["input_ids"] == image).any()


def check_saving(method: str, family: str, way: str, fresh: Fresh, folder: Path) -> None:
    loaded, examples = fresh(family, way), [*FORGET, *RETAIN]
    before = logits_of(loaded, examples)
    trainer_of(loaded, method, folder / "run").train()
    after = logits_of(loaded, examples)
    assert not torch.equal(after, before)
    again = load(tiny.save(loaded, folder / "model"), quantize="4bit" if way == "4bit" else None, device="cpu")
    assert torch.equal(logits_of(again, examples), after)


@torch.no_grad()
def logits_of(loaded: LoadedModel, examples: list[Example]) -> Tensor:
    loaded.model.eval()
    return Policy(loaded.model).answer_logits(loaded.encoder.batch(examples)).values


@each_way
@each_family
def test_what_is_saved_after_training_and_loaded_says_the_same(
    family: str, way: str, fresh: Fresh, tmp_path: Path
) -> None:
    check_saving("npo", family, way, fresh, tmp_path)


@pytest.mark.slow
@each_cell
def test_what_any_method_leaves_is_saved_and_loaded(
    method: str, family: str, way: str, fresh: Fresh, tmp_path: Path
) -> None:
    check_saving(method, family, way, fresh, tmp_path)


@each_family
@pytest.mark.parametrize("method", ["npo", "mmunlearner"])
def test_rows_in_words_alone_leave_vision_and_projector_as_they_are(
    method: str, family: str, fresh: Fresh, tmp_path: Path
) -> None:
    """Where nothing else may move, such a batch has no gradient at all; that is no error."""
    loaded = fresh(family, "lora of the tower")
    start = weights_of(loaded.model)
    words = [Example(f"Where does Ada {number} live?", "Oslo") for number in range(3)]
    trainer = trainer_of(loaded, method, tmp_path)
    trainer.forget = trainer.retain = words
    trainer.train()
    assert trainer.state.global_step == 1
    assert all(torch.equal(weight, start[name]) for name, weight in loaded.model.named_parameters())


@each_family
def test_a_run_that_is_resumed_ends_with_the_same_weights(family: str, fresh: Fresh, tmp_path: Path) -> None:
    """Checkpoints hold the names that weights have on the hub, which are not those in memory for every family."""
    ends = []
    for checkpoint in (None, str(tmp_path / "checkpoint-1")):
        loaded = fresh(family, "weights")
        trainer = trainer_of(loaded, "grad_diff", tmp_path, max_steps=2, save_strategy="steps", save_steps=1)
        trainer.train(resume_from_checkpoint=checkpoint)
        ends.append(weights_of(loaded.model))
    assert all(torch.equal(weight, ends[1][name]) for name, weight in ends[0].items())
