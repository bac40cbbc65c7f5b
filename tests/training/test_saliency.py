"""The saliency mask: squared gradients at the starting weights, one bit a weight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests import tiny
from tests.families import Build, each_family, weights_of
from unsee.errors import InputError
from unsee.losses.likelihood import cross_entropy
from unsee.methods import UnlearnBatch
from unsee.methods import build as build_method
from unsee.methods.gate import Gate, check_preserved
from unsee.training.saliency import TIE, SaliencyMask, pack, passes, unpack
from unsee.training.squares import add_squared_gradients
from unsee.types import PARTS
from unsee.vlm import IGNORED, Batch, LoadedModel, Policy, part_of_parameters
from unsee.vlm.parts import freeze_other_parts
from unsee.vlm.reference import NoReference

# Two forget and three preserve gradients of five weights. Means of squares:
#   forget    (9+1, 1+1, 0, 4+4, 0+1)e-6 / 2     = (5, 1, 0, 4, 0.5)e-6
#   preserve  (1+4+0, 4+0+1, 0, 4+4+4, 0)e-6 / 3 = (1.667, 1.667, 0, 4, 0)e-6
# Ratios 3, 0.6, 0/0 (no gradient reaches it), 1 (an exact tie), infinite.
FORGET = torch.tensor([[3e-3, 1e-3, 0, 2e-3, 0], [1e-3, 1e-3, 0, -2e-3, 1e-3]])
PRESERVE = torch.tensor([[1e-3, 2e-3, 0, 2e-3, 0], [2e-3, 0, 0, 2e-3, 0], [0, 1e-3, 0, -2e-3, 0]])


def batches(loaded: LoadedModel, count: int, size: int, seed: int = 0) -> list[Batch]:
    examples = tiny.examples(count, seed)
    return [loaded.encoder.batch(examples[start : start + size]) for start in range(0, count, size)]


class Known(nn.Module):
    """Weights at 0 by which the cross-entropy of a batch has the gradient that the batch holds."""

    def __init__(self, size: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size, dtype=dtype))

    def forward(self, gradient: Tensor, use_cache: bool) -> object:
        # Two words, the first of which is the answer: d softplus(2 x) / dx = 1 at 0.
        slope = (gradient.to(self.weight.dtype) * self.weight).sum()
        logits = torch.stack([-slope, slope]).expand(1, 2, 2)
        return type("Output", (), {"logits": logits})

    @staticmethod
    def batches(gradients: Tensor) -> list[Batch]:
        return [Batch({"gradient": row}, torch.tensor([[0]]), torch.tensor([0])) for row in gradients]


def difference(forget: Tensor, preserve: Tensor, gamma: float = 1.0) -> Tensor:
    """F_forget / N_forget - gamma * F_preserve / N_preserve of known gradients, with the margin for ties."""
    model = Known(forget.shape[1])
    totals = {"weight": torch.zeros(forget.shape[1])}
    add_squared_gradients(Policy(model), Known.batches(forget), totals, {"weight": 1.0})
    totals["weight"] *= (1 + TIE) / len(forget)
    add_squared_gradients(Policy(model), Known.batches(preserve), totals, {"weight": -gamma / len(preserve)})
    return totals["weight"]


def fisher(model: nn.Module, some: Iterable[Batch]) -> dict[str, Tensor]:
    """The sum of squared gradients."""
    totals = {name: torch.zeros_like(weight, dtype=torch.float32) for name, weight in model.named_parameters()}
    totals = {name: total for name, total in totals.items() if model.get_parameter(name).requires_grad}
    add_squared_gradients(Policy(model), some, totals, dict.fromkeys(totals, 1.0))
    return totals


# The mask of known gradients.


def test_mask_of_known_gradients_keeps_ties_and_dead_weights() -> None:
    found = difference(FORGET, PRESERVE)
    assert found.tolist() == pytest.approx([10 / 3 * 1e-6, -2 / 3 * 1e-6, 0, 0, 5e-7], abs=1e-9 + 5e-6 * TIE)
    assert passes(found).tolist() == [True, False, True, True, True]


@pytest.mark.parametrize(
    ("gamma", "expected"),
    [
        (0.0, [True, True, True, True, True]),  # everything passes
        (0.59, [True, True, True, True, True]),  # the second ratio is 0.6
        (0.61, [True, False, True, True, True]),
        (1.01, [True, False, True, False, True]),  # the tie falls out
        (3.01, [False, False, True, False, True]),  # the first ratio is 3
    ],
)
def test_gamma_is_the_threshold_of_the_ratio(gamma: float, expected: list[bool]) -> None:
    assert passes(difference(FORGET, PRESERVE, gamma)).tolist() == expected


def test_one_accumulator_gives_the_mask_of_two() -> None:
    generator = torch.Generator().manual_seed(0)
    forget, preserve = (torch.randn(rows, 1000, generator=generator) * 1e-3 for rows in (7, 40))
    means = forget.double().square().mean(0), preserve.double().square().mean(0)
    for gamma in (0.5, 1.0, 2.0):
        ratio = means[0] / means[1]
        clear = (ratio / gamma - 1).abs() > 2 * TIE
        assert clear.sum() > 990
        assert torch.equal(passes(difference(forget, preserve, gamma))[clear], (ratio >= gamma)[clear])


@given(st.integers(1, 5000), st.integers(1, 5000), st.floats(1e-6, 1e3), st.floats(0.1, 10))
@settings(deadline=None, max_examples=20)
def test_an_exact_tie_passes_whatever_the_numbers_of_batches(
    forget: int, preserve: int, square: float, gamma: float
) -> None:
    # What the hooks do, without a model: `forget` times the square, less `preserve` times a gamma-th of it.
    total, value = torch.zeros(1), torch.tensor([square]).sqrt()
    for _ in range(forget):
        total.addcmul_(value, value, value=1.0)
    total.mul_((1 + TIE) / forget)
    for _ in range(preserve):
        total.addcmul_(value, value, value=-1.0 / preserve)
    assert passes(total).all()
    assert not passes(total - 2 * TIE * value.square()).any()


def test_a_tensor_that_neither_set_reaches_stays_closed() -> None:
    assert not passes(torch.zeros(3)).any()
    assert passes(torch.tensor([0.0, -1.0, 0.0])).tolist() == [True, False, True]


# The squared gradients of a model.


@each_family
@pytest.mark.parametrize("size", [1, 3])
def test_what_is_added_is_the_squared_gradient_of_each_batch(build: Build, size: int) -> None:
    loaded = build()
    found = fisher(loaded.model, batches(loaded, 7, size))
    names = [name for name, _ in loaded.model.named_parameters()]
    assert list(found) == names
    expected = {name: torch.zeros_like(weight) for name, weight in loaded.model.named_parameters()}
    loaded.model.eval()
    for batch in batches(loaded, 7, size):
        loss = cross_entropy(*Policy(loaded.model).token_log_probs(batch)).mean()
        gradients = torch.autograd.grad(loss, list(loaded.model.parameters()), allow_unused=True)
        for name, gradient in zip(names, gradients, strict=True):
            if gradient is not None:
                expected[name] += gradient.square()
    for name in names:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-12, msg=name)


def test_squares_are_scaled_and_those_without_a_scale_dropped() -> None:
    loaded = tiny.llava()
    plain = fisher(loaded.model, batches(loaded, 4, 2))
    totals = {name: torch.ones_like(total) for name, total in plain.items()}
    add_squared_gradients(Policy(loaded.model), batches(loaded, 4, 2), totals, {"lm_head.weight": -0.5})
    for name, total in totals.items():
        torch.testing.assert_close(total, 1 - 0.5 * plain[name] if name == "lm_head.weight" else torch.ones_like(total))
    assert not any(weight.grad is not None for weight in loaded.model.parameters())


def test_weights_that_no_gradient_reaches_have_zeros() -> None:
    # LLaVA takes its image features from the last layer but one: the last one and the norm after it are idle.
    loaded = tiny.llava()
    found = fisher(loaded.model, batches(loaded, 4, 2))
    idle = [name for name in found if "vision_tower.encoder.layers.2." in name or "post_layernorm" in name]
    assert len(idle) == 18
    assert not any(found[name].any() for name in idle)
    busy = [name for name in found if "vision_tower.encoder.layers.1." in name and "k_proj.bias" not in name]
    assert all(found[name].any() for name in busy)


def test_words_alone_leave_the_vision_tower_at_zero() -> None:
    loaded = tiny.qwen()
    texts = [example for example in tiny.examples(6) if example.image is None]
    found = fisher(loaded.model, [loaded.encoder.batch(texts)])
    assert not any(found[name].any() for name in found if name.startswith("model.visual."))
    assert found["lm_head.weight"].any()


@each_family
@pytest.mark.parametrize("training", [True, False])
def test_defect_saliency_is_taken_without_dropout_and_leaves_the_model_as_it_was(build: Build, training: bool) -> None:
    """The released mask generator takes its gradients in training mode, so that dropout is part of the saliency."""
    loaded = build()
    loaded.model.train(training)
    before = weights_of(loaded.model)
    modes = []
    hook = loaded.model.register_forward_pre_hook(lambda module, arguments: modes.append(module.training))
    fisher(loaded.model, batches(loaded, 4, 2))
    hook.remove()
    assert modes == [False, False]
    assert loaded.model.training == training
    for name, weight in loaded.model.named_parameters():
        assert weight.grad is None, name
        assert not weight._post_accumulate_grad_hooks, name
        assert torch.equal(weight, before[name])


def test_gradients_left_over_from_before_do_not_count() -> None:
    loaded = tiny.llava()
    expected = fisher(loaded.model, batches(loaded, 4, 2))
    for weight in loaded.model.parameters():
        weight.grad = torch.ones_like(weight)
    found = fisher(loaded.model, batches(loaded, 4, 2))
    for name in expected:
        assert torch.equal(found[name], expected[name]), name


def test_no_gradient_is_kept_beyond_its_own_square() -> None:
    # Every gradient is freed when backward has made it: at most one is alive whenever the next one arrives.
    loaded = tiny.llava()
    alive: list[int] = []

    def count(weight: Tensor) -> None:
        alive.append(sum(other.grad is not None for other in loaded.model.parameters()))

    for weight in loaded.model.parameters():
        weight.register_post_accumulate_grad_hook(count)  # runs before the ones that square
    fisher(loaded.model, batches(loaded, 4, 2))
    assert len(alive) > 100
    assert set(alive) == {1}


def test_a_failing_pass_leaves_no_hooks_behind() -> None:
    loaded = tiny.llava()
    loaded.model.train()

    def broken() -> Iterator[Batch]:
        yield from batches(loaded, 2, 2)
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        fisher(loaded.model, broken())
    assert loaded.model.training
    assert not any(weight._post_accumulate_grad_hooks for weight in loaded.model.parameters())


@each_family
def test_frozen_weights_have_no_saliency(build: Build) -> None:
    loaded = build()
    freeze_other_parts(loaded.model, ("projector",))
    mask = SaliencyMask.build(Policy(loaded.model), batches(loaded, 4, 2), batches(loaded, 4, 2, seed=2))
    assert set(mask.bits) == {name for name, weight in loaded.model.named_parameters() if weight.requires_grad}


# Defects of the released code, which ours does not have.


def test_defect_small_half_precision_gradients_do_not_vanish() -> None:
    """float16 squares of gradients below 1.7e-4 are zero, so a float16 mask compares 0/0 nearly everywhere."""
    # The gradients themselves are float16 numbers; (2e-3)^2 / 97 and (5e-4)^2 / 97 are not, but for 6e-8 and 0.
    for gradient, rows in ((1e-4, 1), (1.8e-4, 1), (2e-3, 97), (5e-4, 97), (1e-2, 2455), (2e-3, 2455)):
        model, totals = Known(1, torch.float16), {"weight": torch.zeros(1)}
        value = torch.tensor([[gradient]], dtype=torch.float16)
        add_squared_gradients(Policy(model), Known.batches(value.expand(rows, 1)), totals, {"weight": 1 / rows})
        exact = value.double().square().item()
        assert totals["weight"].item() == pytest.approx(exact, rel=1e-4), gradient
        assert abs(float(torch.tensor(gradient).half().square().div(rows)) * rows - exact) > 0.1 * exact or rows == 1


@pytest.mark.parametrize(("rows", "in_bfloat16"), [(97, 1.03906), (188, 0.875), (512, 0.5), (1830, 0.25)])
def test_defect_long_sums_are_not_cut_short(rows: int, in_bfloat16: float) -> None:
    """Summed in bfloat16, a mean over many batches stops growing, and the longer preserve loader weighs less."""
    low = torch.zeros(1, dtype=torch.bfloat16)
    for _ in range(rows):
        low += torch.ones(1, dtype=torch.bfloat16) / rows
    assert low.item() == pytest.approx(in_bfloat16, abs=1e-5)  # what happens there
    model, totals = Known(1, torch.bfloat16), {"weight": torch.zeros(1)}
    add_squared_gradients(Policy(model), Known.batches(torch.ones(rows, 1)), totals, {"weight": 1 / rows})
    assert totals["weight"].item() == pytest.approx(1.0, rel=1e-4)


def test_defect_image_tokens_are_not_labels() -> None:
    """Released collators mask padding alone, so that most of the loss behind a mask is to predict images."""
    for loaded in (tiny.llava(), tiny.qwen()):
        rows = [row for row in tiny.examples(6) if row.image is not None]
        batch = loaded.encoder.batch(rows)
        config: Any = loaded.model.config
        assert (batch.inputs["input_ids"] == config.image_token_id).any()
        assert not (batch.labels == config.image_token_id).any()
        for row, answer in zip(batch.labels, rows, strict=True):
            assert row[row != IGNORED].tolist() == loaded.encoder.answer_ids(answer)


def test_defect_a_weight_that_no_gradient_reaches_is_no_error() -> None:
    """Without a gradient on either side the released code swallows a TypeError and leaves the number 0 as a mask."""
    loaded = tiny.llava()
    mask = SaliencyMask.build(Policy(loaded.model), batches(loaded, 4, 2), batches(loaded, 4, 2, seed=2))
    idle = [name for name in mask.bits if "vision_tower.encoder.layers.2." in name]
    assert idle
    for name in idle:
        assert mask.mask(name).shape == loaded.model.get_parameter(name).shape
        assert mask.counts[name].reached == 0


def test_defect_every_weight_that_may_move_has_a_mask() -> None:
    """Popped names (embeddings, norms, head) were free to take the whole ascent, 3.7 % of LLaVA-7B."""
    loaded = tiny.llava()
    mask = SaliencyMask.build(Policy(loaded.model), batches(loaded, 4, 2), batches(loaded, 4, 2, seed=2))
    names = [name for name, _ in loaded.model.named_parameters()]
    kept = ("proj", "fc", "linear", "mlp", "qkv")
    assert len(names) == 80
    assert sum(any(word in name for word in kept) for name in names) == 54  # what the released filter leaves
    assert set(mask.bits) == set(names)
    fewer = {name: bits for name, bits in mask.bits.items() if any(word in name for word in kept)}
    with pytest.raises(InputError, match="mask and model differ at"):
        SaliencyMask(fewer, mask.shapes).check_fits(loaded.model)


def test_defect_the_mask_and_the_training_see_the_same_loss(tmp_path: Path) -> None:
    """The mask generator ignores `ans_only`: its saliency is of another loss than the one that the mask then gates."""
    loaded = tiny.qwen()
    (batch,) = batches(loaded, 3, 3)
    found = fisher(loaded.model, [batch])
    terms = build_method("mmunlearner").terms(UnlearnBatch(batch, batch), Policy(loaded.model), NoReference())
    next(terms).value.backward()
    for name, weight in loaded.model.named_parameters():
        if weight.grad is not None:
            torch.testing.assert_close(found[name], weight.grad.square(), rtol=1e-4, atol=1e-12)


def test_defect_rows_one_at_a_time_give_the_fisher_information_in_any_order() -> None:
    """Squared means of minibatches depend on which rows meet; one row a batch gives the per-example information."""
    loaded = tiny.llava()
    alone, together = batches(loaded, 6, 1), batches(loaded, 6, 3)
    per_example, reversed_order = fisher(loaded.model, alone), fisher(loaded.model, alone[::-1])
    coarse = fisher(loaded.model, together)
    head = "lm_head.weight"
    torch.testing.assert_close(per_example[head], reversed_order[head], rtol=1e-5, atol=1e-12)
    assert (coarse[head] / 2).sum() < 0.9 * (per_example[head] / 6).sum()  # means cancel what rows do not share


def test_defect_words_do_not_dilute_what_protects_the_vision_tower() -> None:
    """Text rows give no gradient to the tower; counted among its preserve rows they would lower its threshold."""
    loaded = tiny.qwen()
    forget, images = ([row for row in tiny.examples(9, seed) if row.image is not None] for seed in (0, 2))
    told = [row for row in tiny.examples(30, 3) if row.image is None]
    one = [[loaded.encoder.batch([row]) for row in rows] for rows in (forget, images, told)]
    without = SaliencyMask.build(Policy(loaded.model), one[0], one[1])
    apart = SaliencyMask.build(Policy(loaded.model), one[0], one[1], one[2])
    mixed = SaliencyMask.build(Policy(loaded.model), one[0], [*one[1], *one[2]])
    part_of = part_of_parameters(loaded.model)
    seeing = [name for name, part in part_of.items() if part != "language"]
    saying = [name for name, part in part_of.items() if part == "language"]
    assert all(torch.equal(apart.bits[name], without.bits[name]) for name in seeing)
    assert mixed.density(seeing) > apart.density(seeing) + 0.1
    assert all(torch.equal(apart.bits[name], mixed.bits[name]) for name in saying)
    assert any(not torch.equal(apart.bits[name], without.bits[name]) for name in saying)
    # Whatever is given to protect the language model protects nothing else, be it with images.
    seen = SaliencyMask.build(Policy(loaded.model), one[0], one[1], one[1][:2])
    assert all(torch.equal(seen.bits[name], without.bits[name]) for name in seeing)


# Bits.


def test_first_entry_is_the_highest_bit() -> None:
    # 10110001 = 177; the ninth entry opens a second byte: 10000000 = 128.
    mask = torch.tensor([1, 0, 1, 1, 0, 0, 0, 1, 1], dtype=torch.bool)
    assert pack(mask).tolist() == [177, 128]
    assert pack(mask).dtype == torch.uint8
    assert unpack(pack(mask), mask.shape).tolist() == mask.tolist()


@given(st.lists(st.integers(0, 5), max_size=4), st.integers(0, 2**32))
def test_packing_and_unpacking_gives_the_mask_back(shape: list[int], seed: int) -> None:
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    bits = pack(mask)
    assert len(bits) == -(-mask.numel() // 8)
    assert torch.equal(unpack(bits, mask.shape), mask)


def random_mask(model: nn.Module, share: float = 0.5, seed: int = 0) -> SaliencyMask:
    generator = torch.Generator().manual_seed(seed)
    return SaliencyMask.from_masks(
        {
            name: torch.rand(weight.shape, generator=generator) < share
            for name, weight in model.named_parameters()
            if weight.requires_grad
        }
    )


@each_family
def test_a_saved_mask_is_read_back_the_same(build: Build, tmp_path: Path) -> None:
    model = build().model
    mask, path = random_mask(model), tmp_path / "mask.safetensors"
    mask.key = "of this run"
    mask.save(path)
    found = SaliencyMask.load(path)
    assert found.shapes == mask.shapes
    assert all(torch.equal(found.mask(name), mask.mask(name)) for name in mask.bits)
    assert found.counts == mask.counts
    assert found.key == mask.key == "of this run"
    assert set(found.bits) == set(mask.bits)
    found.check_fits(model)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_saved_mask_takes_an_eighth_of_a_byte_a_weight(tmp_path: Path) -> None:
    masks = {f"layers.{layer}.weight": torch.rand(1024, 1024) < 0.5 for layer in range(4)}
    SaliencyMask.from_masks(masks).save(tmp_path / "mask")
    dense = sum(mask.numel() for mask in masks.values())  # a bool is a byte
    assert (tmp_path / "mask").stat().st_size <= dense / 8 + 2048


def test_density_counts_the_weights_that_the_forget_set_reaches_alone() -> None:
    # Embeddings of words that do not occur pass, and are not counted: nothing is forgotten through them.
    loaded = tiny.llava()
    forget, preserve = batches(loaded, 4, 2), batches(loaded, 9, 2, seed=2)
    mask = SaliencyMask.build(Policy(loaded.model), forget, preserve)
    sums = fisher(loaded.model, forget)
    reached = {name: total > 0 for name, total in sums.items()}
    table = "model.language_model.embed_tokens.weight"
    passing = int((mask.mask(table) & reached[table]).sum())
    assert mask.counts[table] == (passing, int(reached[table].sum()))
    assert mask.density([table]) == pytest.approx(passing / int(reached[table].sum()))
    assert mask.mask(table).float().mean() > mask.density([table]) + 0.1  # dead weights pass
    assert mask.reach([table]) == pytest.approx(float(reached[table].float().mean()))
    assert 0.05 < mask.reach([table]) < 0.5
    every = sum(int(one.sum()) for one in reached.values())
    assert mask.reach() == pytest.approx(every / sum(weight.numel() for weight in loaded.model.parameters()))
    assert SaliencyMask.build(Policy(loaded.model), forget, preserve, gate=Gate(gamma=0)).density() == 1.0


def test_density_of_a_mask_made_by_hand_is_the_share_of_weights_that_pass() -> None:
    mask = SaliencyMask.from_masks({"a": torch.tensor([True, False, False]), "b": torch.ones(3, 3, dtype=torch.bool)})
    assert mask.density() == pytest.approx(10 / 12)
    assert mask.density(["a"]) == pytest.approx(1 / 3)
    assert mask.density(["a", "elsewhere"]) == pytest.approx(1 / 3)


# The mask of a model.


@each_family
def test_the_mask_of_a_model_compares_mean_squared_gradients(build: Build) -> None:
    loaded = build()
    forget, preserve = batches(loaded, 4, 2), batches(loaded, 9, 2, seed=2)
    mask = SaliencyMask.build(Policy(loaded.model), forget, preserve)
    forget_sums, preserve_sums = fisher(loaded.model, forget), fisher(loaded.model, preserve)
    for name, total in forget_sums.items():
        clear = (total / 2 - preserve_sums[name] / 5).abs() > 1e-3 * total / 2  # all but near-ties
        assert torch.equal(mask.mask(name)[clear], (total / 2 >= preserve_sums[name] / 5)[clear]), name
    assert 0.05 < mask.density() < 0.95
    mask.check_fits(loaded.model)


def test_a_larger_gamma_lets_less_through() -> None:
    loaded = tiny.llava()
    forget, preserve = batches(loaded, 4, 2), batches(loaded, 4, 2, seed=2)
    densities = [
        SaliencyMask.build(Policy(loaded.model), forget, preserve, gate=Gate(gamma=gamma)).density()
        for gamma in (0, 0.5, 1, 2)
    ]
    assert densities[0] == 1.0
    assert densities == sorted(densities, reverse=True)
    assert len(set(densities)) == 4


@each_family
def test_vision_and_language_have_thresholds_of_their_own(build: Build) -> None:
    loaded = build()
    forget, preserve = batches(loaded, 4, 2), batches(loaded, 4, 2, seed=2)

    def built(**gammas: Any) -> SaliencyMask:
        return SaliencyMask.build(Policy(loaded.model), forget, preserve, gate=Gate(**gammas))

    one, two = built(gamma=1.0), built(gamma=2.0)
    for mixed in (built(gamma=1.0, gamma_language=2.0), built(gamma=2.0, gamma_vision=1.0)):
        for name, part in part_of_parameters(loaded.model).items():
            assert torch.equal(mixed.bits[name], (two if part == "language" else one).bits[name]), name
    assert one.density() != two.density()


@each_family
def test_a_gamma_that_leaves_nothing_to_forget_through_is_refused(build: Build) -> None:
    # Weights that neither set reaches are in the mask at any gamma, but no forget gradient passes there.
    loaded = build()
    same = batches(loaded, 4, 2)
    with pytest.raises(InputError, match=r"gamma=2\.0 masks out every weight"):
        SaliencyMask.build(Policy(loaded.model), same, same, gate=Gate(gamma=2.0))


def test_an_empty_set_is_refused() -> None:
    loaded = tiny.llava()
    some = batches(loaded, 2, 2)
    for forget, preserve in (([], some), (some, [])):
        with pytest.raises(InputError, match="at least one forget and one preserve example"):
            SaliencyMask.build(Policy(loaded.model), forget, preserve)


def test_a_mask_that_matches_no_weight_is_refused() -> None:
    with pytest.raises(InputError, match="matches no trainable weight of Qwen2_5_VLForConditionalGeneration"):
        random_mask(tiny.llava().model).check_fits(_without_shared_names(tiny.qwen().model))
    frozen = tiny.llava().model
    mask = random_mask(frozen)
    frozen.requires_grad_(False)
    with pytest.raises(InputError, match="matches no trainable weight"):
        mask.check_fits(frozen)


def _without_shared_names(model: nn.Module) -> nn.Module:
    freeze_other_parts(model, ("vision",))
    return model


def test_a_mask_that_covers_other_weights_is_refused() -> None:
    model = tiny.llava().model
    whole = random_mask(model)
    fewer = SaliencyMask({name: bits for name, bits in whole.bits.items() if "lm_head" not in name}, whole.shapes)
    with pytest.raises(InputError, match=r"differ at lm_head\.weight \(1 tensors\)"):
        fewer.check_fits(model)
    freeze_other_parts(model, ("vision", "projector"))
    with pytest.raises(InputError, match="differ at lm_head"):
        whole.check_fits(model)
    reshaped = {**whole.shapes, "lm_head.weight": torch.Size([1])}
    with pytest.raises(InputError, match="differ at lm_head"):
        SaliencyMask(whole.bits, reshaped).check_fits(tiny.llava().model)


@each_family
def test_a_mask_of_zeros_is_refused(build: Build) -> None:
    model = build().model
    with pytest.raises(InputError, match="lets no weight through"):
        random_mask(model, share=0.0).check_fits(model)


# The gate.


class Weights(nn.Module):
    """Five weights at 1."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.ones(5, dtype=torch.float64))


def test_the_update_descends_everywhere_and_ascends_through_the_mask() -> None:
    # theta - 0.1 (-m * forget + retain) = 1 + 0.1 * (0.2, 0, 0.3, 0, 0.5) - 0.1 * (0.1, 0.1, 0, -0.2, 0.05)
    forget = torch.tensor([0.2, -0.1, 0.3, 0.0, 0.5], dtype=torch.float64)
    retain = torch.tensor([0.1, 0.1, 0.0, -0.2, 0.05], dtype=torch.float64)
    model = Weights()
    mask = SaliencyMask.from_masks({"theta": torch.tensor([True, False, True, True, True])})
    with mask.gate(model):
        (-forget @ model.theta).backward()
    (retain @ model.theta).backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert model.theta.tolist() == pytest.approx([1.01, 0.99, 1.03, 1.02, 1.045], abs=1e-12)


def test_the_gate_holds_within_and_nowhere_else() -> None:
    model = Weights()
    mask = SaliencyMask.from_masks({"theta": torch.tensor([True, False, True, False, True])})
    model.theta.sum().backward()
    with mask.gate(model):
        for _ in range(2):
            (10 * model.theta).sum().backward()
    model.theta.sum().backward()
    assert model.theta.grad is not None
    assert model.theta.grad.tolist() == [22, 2, 22, 2, 22]
    assert not model.theta._backward_hooks


def test_the_gate_is_gone_after_an_error() -> None:
    model = Weights()
    mask = SaliencyMask.from_masks({"theta": torch.zeros(5, dtype=torch.bool)})
    with pytest.raises(RuntimeError, match="out of memory"), mask.gate(model):
        raise RuntimeError("out of memory")
    model.theta.sum().backward()
    assert model.theta.grad is not None
    assert model.theta.grad.tolist() == [1, 1, 1, 1, 1]


def test_even_infinite_gradients_stop_at_the_gate() -> None:
    model = Weights()
    mask = SaliencyMask.from_masks({"theta": torch.tensor([True, False, False, False, False])})
    with mask.gate(model):
        (model.theta * torch.tensor([1.0, float("inf"), float("nan"), 0.0, 1.0])).sum().backward()
    assert model.theta.grad is not None
    assert model.theta.grad.tolist() == [1, 0, 0, 0, 0]


def test_the_gate_finds_its_weights_under_a_wrapper() -> None:
    class Wrapper(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

    model = Weights()
    mask = SaliencyMask.from_masks({"theta": torch.tensor([True, False, True, False, True])})
    with mask.gate(Wrapper(model)):
        model.theta.sum().backward()
    assert model.theta.grad is not None
    assert model.theta.grad.tolist() == [1, 0, 1, 0, 1]


# Parts of which nothing preserved says anything.


@pytest.mark.parametrize("preserved", ["as pictures", "as words"])
def test_a_mask_that_would_protect_nothing_of_a_part_that_sees_is_refused(preserved: str) -> None:
    """Each row in words alone leaves F_preserve of the tower at zero, whatever set it is counted among."""
    loaded = tiny.llava()
    forget, told = batches(loaded, 4, 2), [loaded.encoder.batch([row]) for row in tiny.examples(9) if row.image is None]
    sets = (told, []) if preserved == "as pictures" else ([], told)
    with pytest.raises(
        InputError, match=r"would protect nothing of projector and vision; .* or train --parts language"
    ):
        SaliencyMask.build(Policy(loaded.model), forget, *sets)
    # That is no fault where it is asked for, and where nothing of these parts may move or is reached.
    asked_for = SaliencyMask.build(Policy(loaded.model), forget, *sets, gate=Gate(gamma_vision=0))
    assert asked_for.density([name for name in asked_for.bits if "vision_tower" in name]) == 1.0
    SaliencyMask.build(Policy(loaded.model), told, *sets)
    freeze_other_parts(loaded.model, ("language",))
    SaliencyMask.build(Policy(loaded.model), forget, *sets)


def test_rows_are_looked_at_before_a_model_is_loaded() -> None:
    seen, told = [row for row in tiny.examples(6) if row.image], [row for row in tiny.examples(6) if not row.image]
    with pytest.raises(InputError, match="would protect nothing of vision and projector"):
        check_preserved(Gate(), PARTS, seen, told)
    with pytest.raises(InputError, match="would protect nothing of projector"):
        check_preserved(Gate(gamma_vision=2), ("projector",), seen, told)
    check_preserved(Gate(), ("language",), seen, told)
    check_preserved(Gate(), PARTS, told, told)
    check_preserved(Gate(), PARTS, seen, [*told, seen[0]])
    check_preserved(Gate(gamma_vision=0), PARTS, seen, told)
