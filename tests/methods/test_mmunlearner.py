"""MMUnlearner as it trains, and its mask before the forget terms of other methods."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.families import Build, each_family, weights_of
from tests.methods.test_terms import FORGET as BATCH
from tests.methods.test_terms import Scripted, batch_of, roles
from tests.training.test_trainer import (
    FORGET,
    PRESERVE,
    RETAIN,
    Linear,
    adapted,
    head_after,
    logged,
    same,
    trained,
    trainer_of,
)
from unsee.errors import InputError
from unsee.losses.preference import npo
from unsee.methods import METHODS, Term, build
from unsee.methods.gate import Gate, gate_of
from unsee.methods.mmunlearner import MMUnlearner
from unsee.runs.settings import Settings, parse, with_assignments
from unsee.training.saliency import SaliencyMask
from unsee.types import PARTS
from unsee.vlm import part_of_parameters

LEAST: dict[str, Any] = {"model": "owner/name", "forget": "owner/rows", "out": "run"}
FORGETTING = [name for name, one in METHODS.items() if (one.needs.forget or one.needs.refusals) and not one.needs.spans]
GATEABLE = [name for name in FORGETTING if not METHODS[name].needs.saliency]


@pytest.fixture(autouse=True, scope="module")
def _quick_collections() -> Iterator[None]:
    """Every training ends in a garbage collection, which is slow with all of transformers on the heap."""
    gc.freeze()
    yield
    gc.unfreeze()


# Thresholds.


def test_the_parts_have_the_common_threshold_unless_they_have_one_of_their_own() -> None:
    def thresholds(**values: Any) -> list[float]:
        method = build("mmunlearner", values)
        assert isinstance(method, MMUnlearner)
        return [method.gate.threshold(part) for part in PARTS]

    assert thresholds() == [1, 1, 1]
    assert thresholds(gamma=0.5) == [0.5, 0.5, 0.5]
    assert thresholds(gamma=0.5, gamma_vision=2) == [2, 2, 0.5]
    assert thresholds(gamma=0.5, gamma_language="0") == [0.5, 0.5, 0]
    for wrong in (-1, "much"):
        with pytest.raises(InputError, match="mmunlearner: gamma_vision"):
            build("mmunlearner", {"gamma_vision": wrong})


def test_each_part_of_the_model_is_masked_by_its_own_threshold(tmp_path: Path) -> None:
    def mask(**values: float) -> SaliencyMask:
        found = trainer_of(tiny.llava(), "mmunlearner", tmp_path, preserve=PRESERVE, values=values).mask
        assert found is not None
        return found

    plain, mixed = mask(), mask(gamma_language=3.0)
    part_of = part_of_parameters(tiny.llava().model)
    for part in ("vision", "projector"):
        assert all(torch.equal(plain.bits[n], mixed.bits[n]) for n in part_of if part_of[n] == part)
    language = [name for name in part_of if part_of[name] == "language"]
    assert mixed.density(language) < plain.density(language) - 0.1


# Summed and in turn.


def test_updates_alternate_as_often_as_is_asked() -> None:
    def taken(step: int, **values: Any) -> str:
        method = build("mmunlearner", values)
        terms = method.terms(roles(step=step), Scripted("policy"), Scripted("reference"))
        return "+".join(term.name for term in terms)

    assert [taken(step) for step in range(3)] == ["forget+retain"] * 3
    assert [taken(step, retain_steps=2) for step in range(3)] == ["forget+retain"] * 3
    turns = [taken(step, updates="alternating") for step in range(4)]
    assert turns == ["forget", "retain", "forget", "retain"]
    turns = [taken(step, updates="alternating", retain_steps=3) for step in range(5)]
    assert turns == ["forget", "retain", "retain", "retain", "forget"]


def test_an_alternating_run_takes_a_forget_step_and_then_a_retain_step(tmp_path: Path) -> None:
    values: dict[str, Any] = {"updates": "alternating", "gamma": 0.0}
    trainer = trained(tiny.llava(), "mmunlearner", tmp_path, values=values, max_steps=4, gradient_accumulation_steps=2)
    assert [sorted(key for key in entry if key.endswith("_loss") and key != "train_loss") for entry in
            trainer.state.log_history[:4]] == [["forget_loss"], ["retain_loss"]] * 2  # fmt: skip


def test_defect_the_published_step_is_the_sum_of_both_gradients(tmp_path: Path) -> None:
    """The released code takes separate steps, 5 to 19 retain steps for each forget step, where the paper has a sum."""
    # One step of gradient descent at rate 1: forget gradient (1, 1) behind the mask (1, 0), retain gradient (3, 3).
    method = Linear(forget=(1.0, 1.0), retain=(3.0, 3.0))
    assert head_after(method, [1, 0], tmp_path, learning_rate=1.0, max_grad_norm=0.0) == [-1.0, -2.0]


# The mask before other methods' forget terms.


@each_family
def test_npo_behind_a_gate_is_gated_npo_bit_for_bit(build: Build, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"preserve": PRESERVE, "max_steps": 3, "gradient_accumulation_steps": 2}
    named = trained(build(), "gated_npo", tmp_path, values={"gamma": 0.7, "beta": 0.5}, **settings)
    gate = Gate(gamma=0.7)
    gated = trained(build(), "npo", tmp_path, values={"beta": 0.5}, gate=gate, **settings)
    plain = trained(build(), "npo", tmp_path, values={"beta": 0.5}, **settings)
    after = [weights_of(trainer.policy_model) for trainer in (named, gated, plain)]
    assert same(after[0], after[1])
    assert not same(after[1], after[2])
    assert logged(named, "forget_loss") == logged(gated, "forget_loss")


def test_mmunlearner_is_grad_diff_behind_the_same_gate(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"preserve": PRESERVE, "max_steps": 3}
    named = trained(tiny.llava(), "mmunlearner", tmp_path, values={"gamma": 0.7, "gamma_vision": 0.2}, **settings)
    gated = trained(tiny.llava(), "grad_diff", tmp_path, gate=Gate(gamma=0.7, gamma_vision=0.2), **settings)
    assert same(weights_of(named.policy_model), weights_of(gated.policy_model))


@pytest.mark.parametrize("name", GATEABLE)
def test_a_gate_masks_the_forget_terms_of_every_method_and_no_other(name: str, tmp_path: Path) -> None:
    """What each term's own backward pass adds to the weights that the mask holds back."""
    loaded = tiny.llava()
    reached: dict[str, int] = {}
    values = {"schedule": "joint"} if name == "scrub" else {}
    trainer = trainer_of(loaded, name, tmp_path, values=values, preserve=PRESERVE, gate=Gate())
    mask = trainer.mask
    assert mask is not None
    with torch.no_grad():  # away from the start, where what keeps a model near it has no gradient
        for key, weight in loaded.model.named_parameters():
            weight.add_(0.01 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(key))))
    backward = trainer.accelerator.backward

    def alone(loss: Tensor, **options: Any) -> None:
        before = {key: None if w.grad is None else w.grad.clone() for key, w in loaded.model.named_parameters()}
        backward(loss, **options)
        for key, weight in loaded.model.named_parameters():
            if weight.grad is not None:
                old = before[key]
                change = weight.grad if old is None else weight.grad - old
                held_back = ~mask.mask(key)
                reached[current] = reached.get(current, 0) + int((change[held_back] != 0).sum())

    terms = trainer.method.terms
    current = ""

    def named(*arguments: Any) -> Iterator[Any]:
        nonlocal current
        for term in terms(*arguments):
            current = term.name
            yield term

    trainer.accelerator.backward = alone
    object.__setattr__(trainer.method, "terms", named)
    inputs = trainer._collate(list(range(4)))
    trainer.current_gradient_accumulation_steps = 1
    trainer.training_step(loaded.model, inputs)
    assert reached
    forgetting = reached.keys() & {"forget", "refusals", "mismatched"}
    assert forgetting
    for term, weights in reached.items():
        assert (weights == 0) == (term in forgetting), term


def test_a_gate_where_there_is_no_place_for_one_is_refused(tmp_path: Path) -> None:
    for name in ("retain_finetune", "random_noise"):
        with pytest.raises(InputError, match=f"gate: {name} has no forget term to put a mask before"):
            gate_of(build(name), Gate())
        with pytest.raises(InputError, match=f"gate: {name} has no forget term"):
            parse({**LEAST, "method": name, "gate": "saliency"})
    for name in set(FORGETTING) - set(GATEABLE):
        with pytest.raises(InputError, match=f"gate: {name} has a mask of its own"):
            parse({**LEAST, "method": name, "gate": "saliency"})
    with pytest.raises(InputError, match="no forget term"):
        trainer_of(tiny.llava(), "retain_finetune", tmp_path, gate=Gate())


def test_a_gate_is_set_by_a_word_or_by_its_thresholds() -> None:
    def settings(*assignments: str, **values: Any) -> Settings:
        return parse(with_assignments({**LEAST, **values}, list(assignments)))

    assert settings().gate is None
    assert settings("gate=saliency").gate == Gate()
    assert settings("gate=null", gate="saliency").gate is None
    assert settings("gate.gamma=0.5").gate == Gate(gamma=0.5)
    assert settings("gate=saliency", "gate.gamma_vision=2").gate == Gate(gamma_vision=2.0)
    assert settings("gate.gamma_language=3", gate={"kind": "saliency", "gamma": 2}).gate == Gate(
        gamma=2.0, gamma_language=3.0
    )
    dumped = settings("gate.gamma=0.5").model_dump(mode="json")
    assert parse({**dumped, "hyper_parameters": {}}).gate == Gate(gamma=0.5)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("fisher", r"gate\.kind='fisher': input should be 'saliency'"),
        ({"gama": 1}, r"unknown key 'gate\.gama' \(did you mean 'gamma'"),
        ({"gamma": -1}, r"gate\.gamma=-1: input should be greater than or equal to 0"),
        (3, "gate=3"),
    ],
)
def test_a_gate_that_cannot_be_is_refused(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse({**LEAST, "gate": value})


def test_weight_decay_behind_a_gate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"weight_decay=0\.01 would move the weights that the saliency mask protects"):
        trainer_of(tiny.llava(), "npo", tmp_path, gate=Gate(), weight_decay=0.01)


# Adapters.


@each_family
def test_defect_a_mask_holds_under_adapters(build: Build, tmp_path: Path) -> None:
    """Adapters rename and freeze the weights that the released mask is made for: none of its entries ever applied."""
    loaded = adapted(build, tmp_path / "base")
    start = weights_of(loaded.model)
    trainer = trained(loaded, "mmunlearner", tmp_path, values={"retain_weight": 0.0}, preserve=PRESERVE, max_steps=4)
    mask = trainer.mask
    assert mask is not None
    trainable = {name for name, weight in loaded.model.named_parameters() if weight.requires_grad}
    assert set(mask.bits) == trainable
    moved = 0
    for name in trainable:
        after = loaded.model.get_parameter(name)
        assert torch.equal(after[~mask.mask(name)], start[name][~mask.mask(name)]), name
        if "lora_A" in name:
            # A fresh adapter's first factor has no gradient yet: nothing is known about it, so it stays closed.
            assert not mask.mask(name).any()
            assert mask.counts[name] == (0, 0)
        moved += int((after != start[name]).sum())
    assert moved > 100
    assert 0.1 < mask.density() < 0.9  # of the second factors alone


@each_family
def test_what_the_mask_holds_back_of_an_adapter_stays_out_of_its_layer(build: Build, tmp_path: Path) -> None:
    # A row of the second factor that is masked throughout leaves its output unit as it was, to the last bit.
    loaded = adapted(build, tmp_path / "base", parts=("language",))
    path = tmp_path / "mask.safetensors"
    built = trainer_of(loaded, "mmunlearner", tmp_path).mask
    assert built is not None
    masks = {name: built.mask(name) for name in built.bits}
    name = next(name for name in masks if "lora_B" in name and "down_proj" in name)
    masks[name][: len(masks[name]) // 2] = False
    SaliencyMask.from_masks(masks).save(path)
    trained(
        loaded, "mmunlearner", tmp_path, values={"retain_weight": 0.0}, saliency_file=str(path), max_steps=3
    )  # fmt: skip
    layer: Any = loaded.model.get_submodule(name.partition(".lora_B")[0])
    change = layer.get_delta_weight("default")
    half = len(change) // 2
    assert not change[:half].any()
    assert change[half:].any()


def test_the_retain_term_moves_both_factors_of_an_adapter(tmp_path: Path) -> None:
    loaded = adapted(tiny.llava, tmp_path / "base")
    start = weights_of(loaded.model)
    trained(loaded, "mmunlearner", tmp_path, max_steps=4)
    moved = {name for name, weight in weights_of(loaded.model).items() if not torch.equal(weight, start[name])}
    assert any("lora_A" in name for name in moved)
    assert any("lora_B" in name for name in moved)


# Further defects of the released code, which ours does not have.


def test_defect_gradients_are_clipped_after_the_mask(tmp_path: Path) -> None:
    """Clipped before the mask, what passes is shrunk by the norm of what does not."""
    # Gradient (3, 4), mask (1, 0), norm at most 1: (1, 0), where clipping first leaves (0.6, 0).
    method = Linear(forget=(-3.0, -4.0), retain=(0.0, 0.0))
    assert head_after(method, [1, 0], tmp_path, learning_rate=1.0, max_grad_norm=1.0) == pytest.approx(
        [0.0, 1.0], abs=1e-6
    )


def test_defect_masked_weights_move_as_if_nothing_were_forgotten(tmp_path: Path) -> None:
    """In steps of their own, masked gradients are zeros to Adam, and its momentum moves the weights all the same."""
    # Five steps of AdamW, gradients given: the second weight is masked, so its path is that of retaining alone.
    settings: dict[str, Any] = {"learning_rate": 0.01, "max_grad_norm": 0.0, "max_steps": 5, "optim": "adamw_torch"}
    both = _head_after_steps(Linear(forget=(0.7, 0.7), retain=(0.3, 0.3)), [1, 0], tmp_path / "both", **settings)
    alone = _head_after_steps(Linear(forget=(0.0, 0.0), retain=(0.3, 0.3)), [1, 0], tmp_path / "alone", **settings)
    assert both[1] == alone[1]
    assert both[0] > 1 > alone[0]
    # And with nothing to retain it does not move at all.
    forget = _head_after_steps(Linear(forget=(0.7, 0.7), retain=(0.0, 0.0)), [1, 0], tmp_path / "forget", **settings)
    assert forget[1] == 1.0


def _head_after_steps(method: Linear, mask: list[int], folder: Path, **settings: Any) -> list[float]:
    loaded = tiny.llava()
    head = loaded.model.get_parameter("lm_head.weight")
    with torch.no_grad():
        head[0, : len(mask)] = 1.0
    masks = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in loaded.model.named_parameters()}
    masks["lm_head.weight"][0, : len(mask)] = torch.tensor(mask).bool()
    folder.mkdir()
    SaliencyMask.from_masks(masks).save(folder / "mask.safetensors")
    trained(loaded, method, folder, saliency_file=str(folder / "mask.safetensors"), **settings)
    values: list[float] = head[0, : len(mask)].tolist()
    return values


def test_defect_updates_at_small_rates_are_not_rounded_away(tmp_path: Path) -> None:
    """In bfloat16 a step of 1e-5 changes no weight beyond 0.004; ours are float32 unless asked otherwise."""
    assert Settings.model_fields["dtype"].default == "float32"
    for weight, moves in ((0.0025, True), (0.004, False), (0.02, False)):
        rounded = torch.tensor(weight, dtype=torch.bfloat16)
        assert (rounded + torch.tensor(1e-5, dtype=torch.bfloat16) != rounded).item() is moves  # what happens there
    loaded = tiny.llava()
    start = weights_of(loaded.model)
    trained(loaded, "mmunlearner", tmp_path, values={"gamma": 0.0}, learning_rate=1e-5, max_steps=1)
    large = {name: weight.abs() > 0.004 for name, weight in start.items() if "layers.0.mlp" in name}
    assert large
    moved = [(loaded.model.get_parameter(name) != start[name])[chosen] for name, chosen in large.items()]
    assert torch.cat(moved).float().mean() > 0.9


def test_defect_a_failing_forget_step_ends_the_run(tmp_path: Path) -> None:
    """A bare except around the forget step turns any error, out of memory among them, into a run that forgets less."""
    loaded = tiny.llava()
    trainer = trainer_of(loaded, "mmunlearner", tmp_path)

    def exhausted() -> Term:
        raise torch.OutOfMemoryError("no room for the forget graph")

    def failing(*arguments: Any) -> Iterator[Term]:
        yield exhausted()

    object.__setattr__(trainer.method, "terms", failing)
    with pytest.raises(torch.OutOfMemoryError, match="no room for the forget graph"):
        trainer.train()


def test_defect_every_step_has_forget_rows_and_every_row_its_turn(tmp_path: Path) -> None:
    """A forget loader that runs dry before the retain loader leaves forget steps without rows, and none says so."""
    # 11 forget rows in batches of 4 over one epoch: three steps, all of four rows, and all eleven are seen.
    trainer = trainer_of(tiny.llava(), "mmunlearner", tmp_path, max_steps=-1, num_train_epochs=1)
    assert trainer.args.max_steps == 3
    seen: list[int] = []
    for step in range(3):
        rows = trainer._collate(list(range(4 * step, 4 * step + 4)))["forget"]["indices"].tolist()
        assert len(rows) == 4
        seen += rows
    assert set(seen) == set(range(len(FORGET)))
    assert len(RETAIN) < len(FORGET)  # the retain set is walked at its own pace


def test_defect_the_learning_rate_follows_optimizer_steps(tmp_path: Path) -> None:
    """A schedule that is made for steps and moved on once an epoch leaves the rate constant."""
    trainer = trained(
        tiny.llava(), "mmunlearner", tmp_path, max_steps=4, lr_scheduler_type="linear", learning_rate=0.004
    )  # fmt: skip
    assert logged(trainer, "learning_rate") == pytest.approx([0.004, 0.003, 0.002, 0.001])


def test_defect_masks_that_match_nothing_are_refused(tmp_path: Path) -> None:
    """A dictionary of masks whose names match no weight is as good as none, and nobody is told."""
    path = tmp_path / "mask.safetensors"
    SaliencyMask.from_masks({"language_model.model.elsewhere.weight": torch.ones(4, dtype=torch.bool)}).save(path)
    with pytest.raises(InputError, match="matches no trainable weight"):
        trainer_of(tiny.llava(), "mmunlearner", tmp_path, saliency_file=str(path))


# Values from the formulas.


@pytest.mark.parametrize(
    ("current", "reference", "value", "slope"),
    [
        (2.0, 1.5, 2.990694, -0.900332),
        (1.5, 1.5, 3.465736, -1.0),
        (1.0, 2.0, 4.565076, -1.197375),
        (5.0, 1.5, 1.102087, -0.395632),
    ],
)
def test_npo_at_known_losses(current: float, reference: float, value: float, slope: float) -> None:
    # (2 / 0.4) log(1 + exp(0.4 (L_ref - L))): the cross-entropy L is a negative log-probability.
    loss = torch.tensor([current], dtype=torch.float64, requires_grad=True)
    found = npo(-loss, torch.tensor([-reference], dtype=torch.float64), beta=0.4)
    found.sum().backward()
    assert found.item() == pytest.approx(value, abs=5e-7)
    assert loss.grad is not None
    assert loss.grad.item() == pytest.approx(slope, abs=5e-7)


def test_ascent_is_the_negative_loss_and_kl_a_mean_over_tokens() -> None:
    # KL((3/4, 1/4) || (1/2, 1/2)) = 0.75 ln 1.5 + 0.25 ln 0.5, whatever the number of tokens or rows.
    single = 0.75 * log(1.5) + 0.25 * log(0.5)
    assert single == pytest.approx(0.1308120, abs=1e-7)
    current, frozen = torch.zeros(1, 3, 2, dtype=torch.float64), torch.zeros(1, 3, 2, dtype=torch.float64)
    frozen[..., 0] = torch.log(torch.tensor(3.0, dtype=torch.float64))
    batch = batch_of(current, frozen, [0, 0, 0])
    terms = build("kl").terms(roles(BATCH, batch), Scripted("policy"), Scripted("reference"))
    assert {term.name: term.value.item() for term in terms}["retain"] == pytest.approx(single, abs=1e-9)
