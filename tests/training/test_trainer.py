"""Unlearning as it is trained: what moves, what stays, and what makes no difference."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import TrainerCallback

from tests import tiny
from tests.families import Build, each_family, weights_of
from unsee.data import Example
from unsee.errors import InputError
from unsee.methods import METHODS, Method, Needs, Term, UnlearnBatch
from unsee.methods import build as build_method
from unsee.methods.gate import Gate
from unsee.methods.method import Finishes
from unsee.system import progress
from unsee.training.checkpoints import COMPLETE, latest_checkpoint
from unsee.training.config import UnlearnConfig
from unsee.training.saliency import SaliencyMask
from unsee.training.trainer import UnlearnTrainer
from unsee.types import Part
from unsee.vlm import Batch, LoadedModel, LoraOptions, Policy, load, part_of_parameters
from unsee.vlm.change import WeightChange
from unsee.vlm.parts import freeze_other_parts
from unsee.vlm.reference import AdapterOffReference, CachedReference, CopyReference, NoReference
from unsee.vlm.stored import read_tensors, write_tensors

FORGET, RETAIN, PRESERVE = tiny.examples(11), tiny.examples(7, seed=1), tiny.examples(4, seed=2)
TRAINED = [  # take steps on whole answers
    name for name, method in METHODS.items() if (method.needs.forget or method.needs.retain) and not method.needs.spans
]
each_method = pytest.mark.parametrize("name", TRAINED)
# Methods with a mask, and what each is without it.
UNMASKED = {"mmunlearner": "grad_diff", "gated_npo": "npo"}
LOUDER = {"undial": {"forget_weight": 30.0}}  # an untrained model knows no word that could be lowered far
each_masked_method = pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].needs.saliency])


@pytest.fixture(autouse=True, scope="module")
def _quick_collections() -> Iterator[None]:
    """Every training ends in a garbage collection, which is slow with all of transformers on the heap."""
    gc.freeze()
    yield
    gc.unfreeze()


def trainer_of(
    loaded: LoadedModel,
    method: str | Method,
    folder: Path,
    *,
    forget: Sequence[Example] = FORGET,
    retain: Sequence[Example] = RETAIN,
    preserve: Sequence[Example] = (),
    values: dict[str, Any] | None = None,
    gate: Gate | None = None,
    callbacks: list[TrainerCallback] | None = None,
    **settings: Any,
) -> UnlearnTrainer:
    """A trainer of two steps of four pairs, without checkpoints, on the CPU."""
    defaults: dict[str, Any] = {
        "max_steps": 2, "per_device_train_batch_size": 4, "learning_rate": 0.01, "save_strategy": "no",
        "use_cpu": True, "report_to": "none", "disable_tqdm": True,
    }  # fmt: skip
    return UnlearnTrainer(
        loaded,
        UnlearnConfig(output_dir=str(folder), **defaults | settings),
        method=build_method(method, values) if isinstance(method, str) else method,
        forget=forget,
        retain=retain,
        preserve=preserve,
        gate=gate,
        callbacks=callbacks,
    )


def trained(*arguments: Any, **settings: Any) -> UnlearnTrainer:
    trainer = trainer_of(*arguments, **settings)
    trainer.train()
    return trainer


def logged(trainer: UnlearnTrainer, key: str) -> list[float]:
    return [entry[key] for entry in trainer.state.log_history if key in entry]


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def adapted(build: Build, folder: Path, **options: Any) -> LoadedModel:
    """A family's model with a fresh adapter, on a base that lies in a folder."""
    if not folder.exists():
        tiny.save(build(), folder)
    torch.manual_seed(0)  # of the adapter's first half
    parts = options.pop("parts", ("vision", "projector", "language"))
    return load(folder, parts=parts, lora=LoraOptions(rank=2, **options), device="cpu")


# The gradient.


@each_family
@each_method
def test_accumulated_small_batches_train_as_one_large_batch(build: Build, name: str, tmp_path: Path) -> None:
    """Two steps of plain gradient descent on 8 pairs; answers are of unequal lengths."""
    moved, losses = {}, {}
    for batch, accumulation in ((8, 1), (2, 4), (1, 8)):
        trainer = trained(
            build(), name, tmp_path, per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation,
            optim="sgd", learning_rate=0.1, max_grad_norm=0.0, values=LOUDER.get(name),
        )  # fmt: skip
        assert trainer.state.global_step == 2
        start = weights_of(build().model)
        moved[batch] = {key: weight - start[key] for key, weight in weights_of(trainer.policy_model).items()}
        losses[batch] = {key: logged(trainer, key) for key in ("forget_loss", "retain_loss", "loss", "grad_norm")}
    assert max(change.abs().max() for change in moved[8].values()) > 1e-3
    for batch in (2, 1):
        for key, change in moved[8].items():
            torch.testing.assert_close(moved[batch][key], change, rtol=0, atol=1e-6, msg=f"{key} at batch {batch}")
        for key, values in losses[8].items():
            assert losses[batch][key] == pytest.approx(values, rel=1e-4, abs=2e-5), key


@each_family
@each_method
def test_a_step_follows_the_gradient_of_the_whole_objective(build: Build, name: str, tmp_path: Path) -> None:
    """One step against the sum of the method's terms, differentiated at once (a mask of ones: gamma is 0)."""
    loaded, expected = build(), build()
    values = {"gamma": 0.0} if METHODS[name].needs.saliency else {}
    trainer = trained(
        loaded, name, tmp_path, values=values, max_steps=1, gradient_accumulation_steps=2,
        optim="sgd", learning_rate=0.5, max_grad_norm=0.0,
    )  # fmt: skip
    method, roles = build_method(name, values), trainer._collate(list(range(8)))
    batches: dict[str, Any] = {role: Batch.from_dict(parts) for role, parts in roles.items()}
    batch = UnlearnBatch(**{"forget": None, "retain": None, **batches}, prepared=trainer.prepared)
    change = WeightChange(expected.model, keep_start=True)
    terms = method.terms(batch, Policy(expected.model), CopyReference(Policy(expected.model)))
    total: Any = sum(term.value for term in terms)
    total.backward()
    torch.optim.SGD(expected.model.parameters(), lr=0.5).step()
    if isinstance(method, Finishes):
        method.finish(change, trainer.args.seed)
    for key, weight in weights_of(expected.model).items():
        torch.testing.assert_close(weights_of(loaded.model)[key], weight, rtol=0, atol=1e-6, msg=key)


@dataclass(frozen=True)
class Linear:
    """A method whose gradients are given, on the first weights of the output head."""

    name: ClassVar[str] = "linear"
    paper: ClassVar[str] = "none"
    needs: ClassVar[Needs] = Needs(retain=True, saliency=True)
    forget: tuple[float, ...] = ()  # gradient of the forget cross-entropy, to be ascended through the mask
    retain: tuple[float, ...] = ()  # gradient of the retain cross-entropy

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Any) -> Iterator[Term]:
        weights = policy.model.get_parameter("lm_head.weight")[0, : len(self.forget)]
        yield Term("forget", -(weights * torch.tensor(self.forget)).sum())
        yield Term("retain", (weights * torch.tensor(self.retain)).sum())


def head_after(method: Linear, mask: list[int], folder: Path, **settings: Any) -> list[float]:
    """The first weights of the head, set to 1, after one step under a mask."""
    loaded = tiny.llava()
    head = loaded.model.get_parameter("lm_head.weight")
    with torch.no_grad():
        head[0, : len(mask)] = 1.0
    masks = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in loaded.model.named_parameters()}
    masks["lm_head.weight"][0, : len(mask)] = torch.tensor(mask).bool()
    SaliencyMask.from_masks(masks).save(folder / "mask.safetensors")
    trained(
        loaded, method, folder, saliency_file=str(folder / "mask.safetensors"), max_steps=1, optim="sgd", **settings
    )
    values: list[float] = head[0, : len(mask)].tolist()
    return values


@pytest.mark.parametrize("accumulation", [1, 3])
def test_the_update_descends_everywhere_and_ascends_through_the_mask(accumulation: int, tmp_path: Path) -> None:
    # 1 - 0.1 (-m * forget + retain) = 1 + 0.1 * (0.2, 0, 0.3, 0, 0.5) - 0.1 * (0.1, 0.1, 0, -0.2, 0.05)
    method = Linear(forget=(0.2, -0.1, 0.3, 0.0, 0.5), retain=(0.1, 0.1, 0.0, -0.2, 0.05))
    found = head_after(
        method, [1, 0, 1, 1, 1], tmp_path,
        learning_rate=0.1, max_grad_norm=0.0, gradient_accumulation_steps=accumulation,
    )  # fmt: skip
    assert found == pytest.approx([1.01, 0.99, 1.03, 1.02, 1.045], abs=1e-6)


def test_gradients_are_clipped_after_the_mask(tmp_path: Path) -> None:
    # Gradient (3, 4), mask (1, 0), norm at most 1: masked first it is (3, 0), clipped to (1, 0). Clipped first it
    # would be (0.6, 0.8), masked to (0.6, 0), shrunk by a gradient that goes nowhere.
    method = Linear(forget=(-3.0, -4.0), retain=(0.0, 0.0))
    found = head_after(method, [1, 0], tmp_path, learning_rate=1.0, max_grad_norm=1.0)
    assert found == pytest.approx([0.0, 1.0], abs=1e-5)


# What moves and what stays.


@each_family
@each_masked_method
@pytest.mark.parametrize("lora", [False, True], ids=["weights", "lora"])
def test_masked_and_out_of_part_weights_do_not_move_under_the_forget_term(
    build: Build, name: str, lora: bool, tmp_path: Path
) -> None:
    parts: tuple[Part, ...] = ("projector", "language")
    if lora:
        loaded = adapted(build, tmp_path / "base", parts=parts)
        with torch.no_grad():  # a fresh adapter's first half gets no gradient
            for key, weight in loaded.model.named_parameters():
                if "lora_B" in key:
                    weight.add_(0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    else:
        loaded = build()
        freeze_other_parts(loaded.model, parts)
    start, part_of = weights_of(loaded.model), part_of_parameters(loaded.model)
    trainer = trained(
        loaded, name, tmp_path, values={"retain_weight": 0.0}, preserve=PRESERVE,
        max_steps=4, gradient_accumulation_steps=2, saliency_batch_size=2,
    )  # fmt: skip
    assert trainer.mask is not None
    assert 0.1 < trainer.mask.density() < 0.95
    passing = moving = 0
    for key, after in weights_of(loaded.model).items():
        if part_of[key] not in parts or (lora and "lora_" not in key):
            assert key not in trainer.mask.bits
            assert torch.equal(after, start[key]), key
            continue
        mask = trainer.mask.mask(key)
        assert torch.equal(after[~mask], start[key][~mask]), key
        passing += int(mask.sum())
        moving += int((after != start[key])[mask].sum())
    # All that pass move, but for the embeddings of words that do not occur.
    assert moving > 0.9 * passing if lora else moving > 0.5 * passing


@each_family
@each_masked_method
def test_a_mask_of_ones_is_no_mask_bit_for_bit(build: Build, name: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"max_steps": 3, "gradient_accumulation_steps": 2}
    masked = trained(build(), name, tmp_path, values={"gamma": 0.0}, **settings)
    plain = trained(build(), UNMASKED[name], tmp_path, **settings)
    assert masked.mask is not None
    assert masked.mask.density() == 1.0
    assert same(weights_of(masked.policy_model), weights_of(plain.policy_model))
    assert logged(masked, "forget_loss") == logged(plain, "forget_loss")


@each_family
@each_masked_method
def test_the_retain_term_passes_the_mask_by(build: Build, name: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"values": {"forget_weight": 0.0}, "max_steps": 3, "gradient_accumulation_steps": 2}
    masked = trained(build(), name, tmp_path, **settings)
    plain = trained(build(), UNMASKED[name], tmp_path, **settings)
    start, after = weights_of(build().model), weights_of(masked.policy_model)
    assert same(after, weights_of(plain.policy_model))
    assert masked.mask is not None
    moved = sum(int((after[key] != start[key])[~masked.mask.mask(key)].sum()) for key in masked.mask.bits)
    assert moved > 1000


@each_family
@each_method
def test_frozen_parts_do_not_move_under_any_method(build: Build, name: str, tmp_path: Path) -> None:
    loaded = build()
    freeze_other_parts(loaded.model, ("language",))
    start, part_of = weights_of(loaded.model), part_of_parameters(loaded.model)
    trained(loaded, name, tmp_path)
    moved = {part_of[key] for key, weight in weights_of(loaded.model).items() if not torch.equal(weight, start[key])}
    assert moved == {"language"}


def test_a_mask_of_other_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mask.safetensors"
    shapes = {name: weight.shape for name, weight in tiny.llava().model.named_parameters()}
    SaliencyMask.from_masks({name: torch.ones(shape, dtype=torch.bool) for name, shape in shapes.items()}).save(path)
    loaded = tiny.qwen()
    freeze_other_parts(loaded.model, ("vision",))
    with pytest.raises(InputError, match="matches no trainable weight"):
        trainer_of(loaded, "mmunlearner", tmp_path, saliency_file=str(path))
    with pytest.raises(InputError, match="differ at"):
        trainer_of(tiny.qwen(), "mmunlearner", tmp_path, saliency_file=str(path))


def test_a_mask_of_zeros_is_refused(tmp_path: Path) -> None:
    loaded, path = tiny.llava(), tmp_path / "mask.safetensors"
    zeros = {name: torch.zeros_like(weight, dtype=torch.bool) for name, weight in loaded.model.named_parameters()}
    SaliencyMask.from_masks(zeros).save(path)
    with pytest.raises(InputError, match="lets no weight through"):
        trainer_of(loaded, "mmunlearner", tmp_path, saliency_file=str(path))


def test_the_mask_is_that_of_the_starting_weights_and_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "mask.safetensors"
    loaded = tiny.llava()
    trainer = trainer_of(loaded, "mmunlearner", tmp_path, preserve=PRESERVE, saliency_file=str(path))
    kept = [*RETAIN, *PRESERVE]  # fewer rows of either kind than a batch has
    images, words = ([one for one in kept if (one.image is None) == blind] for blind in (False, True))
    expected = SaliencyMask.build(
        Policy(tiny.llava().model),
        [loaded.encoder.batch(FORGET[start : start + 8]) for start in (0, 8)],
        [loaded.encoder.batch(images)],
        [loaded.encoder.batch(words)],
    )
    assert trainer.mask is not None
    assert same(trainer.mask.bits, expected.bits)
    trainer.train()
    assert same(SaliencyMask.load(path).bits, expected.bits)


def test_a_kept_mask_is_taken_again_by_the_same_run_and_built_anew_for_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, built, build_mask = tmp_path / "mask.safetensors", [], SaliencyMask.build

    def counted(*sets: Any) -> SaliencyMask:
        built.append(sets)
        return build_mask(*sets)

    monkeypatch.setattr(SaliencyMask, "build", counted)

    def masked(loaded: LoadedModel, examples: Sequence[Example] = FORGET, kept: Any = (), **more: Any) -> None:
        settings: dict[str, Any] = {
            "use_cpu": True, "report_to": "none", "max_steps": 1, "saliency_file": str(path),
        }  # fmt: skip
        gamma = more.pop("gamma", 1.0)
        method = build_method("mmunlearner", {"gamma": gamma})
        arguments = UnlearnConfig(output_dir=str(tmp_path), **settings | more)
        UnlearnTrainer(loaded, arguments, method=method, forget=examples, retain=RETAIN, preserve=kept)

    moved, tower = tiny.llava(), tiny.llava()
    with torch.no_grad():
        moved.model.get_parameter("lm_head.weight")[0, 0] += 1e-3
    freeze_other_parts(tower.model, ("vision", "projector"))
    others: list[dict[str, Any]] = [
        {"loaded": moved}, {"loaded": tower}, {"examples": FORGET[1:]}, {"kept": PRESERVE},
        {"gamma": 0.5}, {"saliency_batch_size": 1},
    ]  # fmt: skip
    for place, other in enumerate(others):
        masked(tiny.llava())
        assert len(built) == 2 * place + 1
        key = SaliencyMask.load(path).key
        masked(tiny.llava(), learning_rate=0.5)
        assert len(built) == 2 * place + 1  # taken from the file
        masked(**{"loaded": tiny.llava()} | other)
        assert len(built) == 2 * place + 2, other
        assert SaliencyMask.load(path).key not in ("", key)


def test_a_file_that_is_no_mask_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mask.safetensors"
    save_file({"theta": torch.ones(2)}, path)
    with pytest.raises(InputError, match="holds no saliency mask"):
        trainer_of(tiny.llava(), "mmunlearner", tmp_path, saliency_file=str(path))


# The reference.


@pytest.mark.parametrize(
    ("name", "lora", "expected"),
    [
        ("grad_diff", False, NoReference),
        ("mmunlearner", True, NoReference),
        ("npo", False, CachedReference),
        ("npo", True, AdapterOffReference),
        ("kl", False, CopyReference),
        ("kl", True, AdapterOffReference),
    ],
)
@each_family
def test_the_reference_is_the_cheapest_that_will_do(
    build: Build, name: str, lora: bool, expected: type, tmp_path: Path
) -> None:
    loaded = adapted(build, tmp_path / "base") if lora else build()
    assert type(trainer_of(loaded, name, tmp_path).reference) is expected


@each_family
@pytest.mark.parametrize(("name", "expected"), [("npo", CachedReference), ("kl", CopyReference)])
def test_a_trained_adapter_is_its_own_starting_point(build: Build, name: str, expected: type, tmp_path: Path) -> None:
    first = trained(adapted(build, tmp_path / "base"), "grad_diff", tmp_path, learning_rate=0.1)
    first.save_model(str(tmp_path / "adapter"))
    loaded = load(tmp_path / "adapter", device="cpu")
    assert any(weight.requires_grad for weight in loaded.model.parameters())
    trainer = trainer_of(loaded, name, tmp_path)
    assert type(trainer.reference) is expected
    batch = loaded.encoder.batch(FORGET[:3])
    with torch.no_grad():
        starting = Policy(loaded.model.eval()).answer_log_probs(batch)
        base = Policy(build().model.eval()).answer_log_probs(batch)
    torch.testing.assert_close(trainer.reference.answer_log_probs(batch), starting, rtol=0, atol=1e-5)
    assert (starting - base).abs().max() > 1e-3


@each_family
@pytest.mark.parametrize("lora", [False, True], ids=["weights", "lora"])
@pytest.mark.parametrize("beta", [0.1, 0.4])
def test_npo_starts_at_two_over_beta_times_ln_two(build: Build, lora: bool, beta: float, tmp_path: Path) -> None:
    loaded = adapted(build, tmp_path / "base") if lora else build()
    trainer = trained(loaded, "npo", tmp_path, values={"beta": beta, "retain_weight": 0.0}, max_steps=3)
    losses = logged(trainer, "forget_loss")
    assert losses[0] == pytest.approx(2 / beta * log(2), abs=1e-5)
    assert losses[-1] < losses[0] - 1e-3  # the reference has not moved along


@each_family
@pytest.mark.parametrize("lora", [False, True], ids=["weights", "lora"])
def test_kl_starts_at_zero_and_its_reference_does_not_move(build: Build, lora: bool, tmp_path: Path) -> None:
    loaded = adapted(build, tmp_path / "base") if lora else build()
    trainer = trainer_of(loaded, "kl", tmp_path, learning_rate=0.05, max_steps=3)
    batch = loaded.encoder.batch(RETAIN[:3])
    before = trainer.reference.answer_logits(batch).values
    trainer.train()
    losses = logged(trainer, "retain_loss")
    assert losses[0] == pytest.approx(0, abs=1e-7)
    assert losses[-1] > 1e-5
    assert torch.equal(trainer.reference.answer_logits(batch).values, before)
    with torch.no_grad():
        now = Policy(loaded.model.eval()).answer_logits(batch).values
    assert not torch.allclose(now, before, atol=1e-4)


def test_cached_reference_belongs_to_its_weights_and_its_data(tmp_path: Path) -> None:
    path = tmp_path / "reference.safetensors"

    def key(loaded: LoadedModel, forget: Sequence[Example] = FORGET) -> str:
        trainer = trainer_of(loaded, "npo", tmp_path, forget=forget, reference_file=str(path))
        with torch.no_grad():
            afresh = Policy(loaded.model.eval()).answer_log_probs(loaded.encoder.batch(forget))
        reference = trainer.reference
        assert isinstance(reference, CachedReference)
        torch.testing.assert_close(reference.log_probs, afresh, rtol=0, atol=1e-5)
        with safe_open(path, framework="pt") as stored:
            return str(stored.metadata()["key"])

    first = key(tiny.llava())
    assert key(tiny.llava()) == first
    other_answers = [Example(e.question, "Lima", e.image) for e in FORGET]
    keys = [first, key(tiny.llava(seed=1)), key(tiny.llava(), FORGET[::-1]), key(tiny.llava(), other_answers)]
    assert len(set(keys)) == 4


# The order of things.


@dataclass
class Recorder:
    """A method that notes which examples meet, and does nothing."""

    name: ClassVar[str] = "recorder"
    paper: ClassVar[str] = "none"
    needs: ClassVar[Needs] = Needs(retain=True)
    seen: list[tuple[int, int]] = field(default_factory=list)

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Any) -> Iterator[Term]:
        assert batch.forget is not None
        assert batch.retain is not None
        self.seen += zip(batch.forget.indices.tolist(), batch.retain.indices.tolist(), strict=True)
        yield Term("forget", 0.0 * next(policy.model.parameters()).sum())


def test_the_same_pairs_meet_at_any_batch_size(tmp_path: Path) -> None:
    seen = []
    for batch, accumulation in ((8, 1), (2, 4), (1, 8)):
        recorder = Recorder()
        trainer = trained(
            tiny.llava(), recorder, tmp_path, max_steps=4,
            per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation,
        )  # fmt: skip
        seen.append(recorder.seen)
    assert seen[0] == seen[1] == seen[2]
    assert seen[0] == [(p["forget"], p["retain"]) for p in map(trainer.pairing.__getitem__, range(32))]
    # Each epoch of the forget set holds every forget example once.
    assert sorted(forget for forget, _ in seen[0][:11]) == list(range(11))
    other = Recorder()
    trained(tiny.llava(), other, tmp_path, max_steps=4, per_device_train_batch_size=8, seed=1)
    assert other.seen != seen[0]


def test_an_interrupted_run_goes_on_with_the_pairs_that_were_next(tmp_path: Path) -> None:
    class Stop(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            control.should_training_stop = state.global_step == 5

    whole, first, second = Recorder(), Recorder(), Recorder()
    settings: dict[str, Any] = {"max_steps": 7, "gradient_accumulation_steps": 2, "per_device_train_batch_size": 2}
    trained(tiny.llava(), whole, tmp_path / "whole", **settings)
    settings |= {"save_strategy": "steps", "save_steps": 2}
    trained(tiny.llava(), first, tmp_path / "part", callbacks=[Stop()], **settings)
    last = latest_checkpoint(tmp_path / "part")
    assert last is not None
    step = int(last.name.rpartition("-")[2])
    assert first.seen == whole.seen[: len(first.seen)]
    trainer_of(tiny.llava(), second, tmp_path / "part", **settings).train(resume_from_checkpoint=str(last))
    assert first.seen[: 4 * step] + second.seen == whole.seen


@pytest.mark.parametrize(("epochs", "accumulation", "steps"), [(2, 1, 6), (1, 2, 2), (0.5, 1, 2)])
def test_epochs_count_passes_over_the_forget_set(epochs: float, accumulation: int, steps: int, tmp_path: Path) -> None:
    # 11 examples at 4 a pass: 22 / 4, 11 / 8 and 5.5 / 4 steps, rounded up.
    trainer = trained(
        tiny.llava(), Recorder(), tmp_path,
        max_steps=-1, num_train_epochs=epochs, gradient_accumulation_steps=accumulation,
    )  # fmt: skip
    assert trainer.state.global_step == steps


def test_the_settings_that_are_given_are_not_changed(tmp_path: Path) -> None:
    args = UnlearnConfig(output_dir=str(tmp_path), use_cpu=True, num_train_epochs=1, per_device_train_batch_size=4)
    lengths = []
    for forget in (FORGET, FORGET[:4]):
        trainer = UnlearnTrainer(tiny.llava(), args, method=Recorder(), forget=forget, retain=RETAIN)
        lengths.append(trainer.args.max_steps)
    assert lengths == [3, 1]
    assert args.max_steps == -1


def test_logged_losses_are_means_over_the_steps_between(tmp_path: Path) -> None:
    each = trained(tiny.llava(), "grad_diff", tmp_path, max_steps=4, gradient_accumulation_steps=2)
    every_other = trained(
        tiny.llava(), "grad_diff", tmp_path, max_steps=4, gradient_accumulation_steps=2, logging_steps=2
    )
    for key in ("forget_loss", "retain_loss", "loss"):
        a, b, c, d = logged(each, key)
        assert logged(every_other, key) == pytest.approx([(a + b) / 2, (c + d) / 2], rel=1e-6)
    both = zip(logged(each, "forget_loss"), logged(each, "retain_loss"), strict=True)
    assert logged(each, "loss") == pytest.approx([forget + retain for forget, retain in both], rel=1e-4, abs=1e-4)


# Saving and resuming.


@each_family
def test_a_saved_model_says_the_same(build: Build, tmp_path: Path) -> None:
    trainer = trained(build(), "npo", tmp_path / "run")
    trainer.save_model(str(tmp_path / "model"))
    assert_says_the_same(trainer, load(tmp_path / "model", device="cpu"))


@each_family
def test_a_saved_adapter_says_the_same(build: Build, tmp_path: Path) -> None:
    trainer = trained(adapted(build, tmp_path / "base"), "npo", tmp_path / "run")
    trainer.save_model(str(tmp_path / "model"))
    saved = {path.name for path in (tmp_path / "model").iterdir()}
    assert "adapter_model.safetensors" in saved
    assert "model.safetensors" not in saved
    assert_says_the_same(trainer, load(tmp_path / "model", device="cpu"))


@torch.no_grad()
def assert_says_the_same(trainer: UnlearnTrainer, reloaded: LoadedModel) -> None:
    """Same logits bit for bit, from rows that the reloaded processor has encoded, and no longer the base's."""
    examples = tiny.examples(4)
    batches = trainer.encoder.batch(examples), reloaded.encoder.batch(examples)
    assert same(batches[0].inputs, batches[1].inputs)
    assert torch.equal(batches[0].labels, batches[1].labels)
    # Both in the same mode: PyTorch picks other kernels for weights that may move.
    models = [model.eval().requires_grad_(False) for model in (trainer.policy_model, reloaded.model)]
    now, then = (Policy(model).answer_logits(batches[0]).values for model in models)
    assert torch.equal(now, then)


def test_incomplete_checkpoints_are_never_resumed_from(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path) is None
    for step, complete in ((3, True), (9, True), (20, True), (100, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text("{}")
        save_file({"weight": torch.zeros(1)}, folder / "model.safetensors")
        if complete:
            (folder / COMPLETE).touch()
    (tmp_path / "checkpoint-500").touch()  # not even a folder
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-20"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"\x08"),
        ("model.safetensors", None),
        ("trainer_state.json", b"{"),
        ("trainer_state.json", b"[]"),
        ("optimizer.pt", b"PK\x03\x04 and no more"),
        ("rng_state.pth", b""),
    ],
)
def test_a_damaged_checkpoint_gives_way_to_the_older_one(name: str, content: bytes | None, tmp_path: Path) -> None:
    for step in (3, 20):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text("{}")
        save_file({"weight": torch.zeros(9)}, folder / "model.safetensors")
        for archive in ("optimizer.pt", "rng_state.pth"):
            torch.save({}, folder / archive)
        (folder / COMPLETE).touch()
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-20"
    path = tmp_path / "checkpoint-20" / name
    path.write_bytes(path.read_bytes()[:-9] if content is None else content)
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-3"


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, None])
def test_a_damaged_file_of_the_reference_is_as_good_as_none(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "reference.safetensors"
    write_tensors(path, {"scores": torch.ones(9)}, "key")
    assert read_tensors(path, "key") is not None
    path.write_bytes(path.read_bytes()[:-9] if content is None else content)
    assert read_tensors(path, "key") is None


RESUMED = {
    # name: family, method, whether the model is adapted, and where SIGKILL strikes
    "npo": ("llava", "npo", False, "step"),
    "mmunlearner": ("qwen2_5_vl", "mmunlearner", False, "step"),
    "lora": ("llava", "kl", True, "step"),
    "save": ("llava", "grad_diff", False, "save"),
}


class Kill(TrainerCallback):
    """Ends the process on the spot, at a step or while a checkpoint is being written."""

    def __init__(self, event: str, step: int) -> None:
        self.event, self.step = event, step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.event == "step" and state.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.event == "save" and state.global_step >= self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def resumable(case: str, folder: Path, callbacks: list[TrainerCallback] | None = None) -> UnlearnTrainer:
    """Seven steps with a checkpoint every three, as a run folder keeps them."""
    family, method, lora, _ = RESUMED[case]
    build = tiny.FAMILIES[family]
    loaded = adapted(build, folder / "base") if lora else build()
    folder.mkdir(exist_ok=True)
    return trainer_of(
        loaded, method, folder, callbacks=callbacks, max_steps=7, save_strategy="steps", save_steps=3,
        save_total_limit=2, gradient_accumulation_steps=2, per_device_train_batch_size=2,
        saliency_file=str(folder / "saliency.safetensors"), reference_file=str(folder / "reference.safetensors"),
    )  # fmt: skip


def killed(folder: Path, step: int) -> None:
    """Start every case of `RESUMED` in a process of its own, which is killed on its way."""
    for case, (*_, event) in RESUMED.items():
        child = os.fork()
        if child == 0:
            resumable(case, folder / case, [Kill(event, step)]).train()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, case


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Folders of runs that were killed at a random step from the fourth to the sixth."""
    folder, step = tmp_path_factory.mktemp("killed"), int.from_bytes(os.urandom(2)) % 3 + 4
    called = f"killed(Path({str(folder)!r}), {step})"
    code = f"from pathlib import Path; from tests.training.test_trainer import killed; {called}"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, step


@pytest.mark.parametrize("case", RESUMED)
def test_a_killed_run_ends_with_the_very_same_weights(case: str, interrupted: tuple[Path, int], tmp_path: Path) -> None:
    folder, step = interrupted
    last = latest_checkpoint(folder / case)
    assert last is not None
    assert last.name == "checkpoint-3", f"killed at step {step}"
    assert (folder / case / "checkpoint-6").exists() == (RESUMED[case][-1] == "save")
    trainer = resumable(case, folder / case)
    trainer.train(resume_from_checkpoint=str(last))
    whole = resumable(case, tmp_path / case)
    whole.train()
    assert trainer.state.global_step == whole.state.global_step == 7
    assert same(weights_of(trainer.policy_model), weights_of(whole.policy_model)), f"killed at step {step}"
    start = resumable(case, tmp_path / "start").policy_model
    assert not same(weights_of(start), weights_of(whole.policy_model))
    for key in ("forget_loss", "retain_loss", "loss"):
        assert logged(trainer, key) == logged(whole, key)


# What is refused.


def test_sets_that_a_method_needs_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="forget: the set is empty"):
        trainer_of(tiny.llava(), "grad_ascent", tmp_path, forget=())
    with pytest.raises(InputError, match="grad_diff trains on retain rows and none are given"):
        trainer_of(tiny.llava(), "grad_diff", tmp_path, retain=())
    assert trained(tiny.llava(), "grad_ascent", tmp_path, retain=()).state.global_step == 2


def test_a_model_that_cannot_move_is_refused(tmp_path: Path) -> None:
    loaded = tiny.llava()
    loaded.model.requires_grad_(False)
    with pytest.raises(InputError, match="no weight of tiny may move"):
        trainer_of(loaded, "grad_ascent", tmp_path)


def test_a_loss_that_is_no_number_stops_the_training(tmp_path: Path) -> None:
    loaded = tiny.llava()
    with torch.no_grad():
        loaded.model.get_parameter("lm_head.weight")[5] = float("nan")
    with pytest.raises(FloatingPointError, match="grad_diff: forget loss is nan"):
        trained(loaded, "grad_diff", tmp_path)
    assert not progress._activities  # nothing goes on telling a log about it


def test_training_does_not_print(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(tiny.llava(), "npo", tmp_path)
    assert capsys.readouterr().out == ""
