"""The saliency mask: squared gradients at the starting weights, one bit a weight."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests import tiny
from tests.families import Build, each_family, weights_of
from unsee.errors import InputError
from unsee.losses import cross_entropy
from unsee.saliency import SaliencyMask, fisher, pack, saliency_mask, unpack
from unsee.vlm import Batch, LoadedModel, Policy
from unsee.vlm.parts import freeze_other_parts

# Two forget and three preserve gradients of five weights. Means of squares:
#   forget    (9+1, 1+1, 0, 4+4, 0+1)e-6 / 2     = (5, 1, 0, 4, 0.5)e-6
#   preserve  (1+4+0, 4+0+1, 0, 4+4+4, 0)e-6 / 3 = (1.667, 1.667, 0, 4, 0)e-6
# Ratios 3, 0.6, 0/0 (no gradient reaches it), 1 (an exact tie), infinite.
FORGET = torch.tensor([[3e-3, 1e-3, 0, 2e-3, 0], [1e-3, 1e-3, 0, -2e-3, 1e-3]])
PRESERVE = torch.tensor([[1e-3, 2e-3, 0, 2e-3, 0], [2e-3, 0, 0, 2e-3, 0], [0, 1e-3, 0, -2e-3, 0]])


def batches(loaded: LoadedModel, count: int, size: int, seed: int = 0) -> list[Batch]:
    examples = tiny.examples(count, seed)
    return [loaded.encoder.batch(examples[start : start + size]) for start in range(0, count, size)]


# The mask of known gradients.


def test_mask_of_known_gradients_keeps_ties_and_dead_weights() -> None:
    mask = saliency_mask(FORGET.square().sum(0), PRESERVE.square().sum(0), gamma=1.0, batches=(2, 3))
    assert mask.tolist() == [True, False, True, True, True]


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
    sums = FORGET.square().sum(0), PRESERVE.square().sum(0)
    assert saliency_mask(*sums, gamma=gamma, batches=(2, 3)).tolist() == expected


def test_one_difference_of_means_gives_the_same_mask() -> None:
    difference = FORGET.square().mean(0) - PRESERVE.square().mean(0)
    assert difference.tolist() == pytest.approx([3.3333e-6, -6.6667e-7, 0, 0, 5e-7], abs=1e-10)
    mask = saliency_mask(FORGET.square().mean(0), PRESERVE.square().mean(0), gamma=1.0)
    assert mask.tolist() == (difference >= 0).tolist() == [True, False, True, True, True]


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_an_exact_tie_stays_one_whatever_the_numbers_of_batches(forget: int, preserve: int) -> None:
    square = torch.tensor([4e-6, 2**-20])
    mask = saliency_mask(square * forget, square * preserve, gamma=1.0, batches=(forget, preserve))
    assert mask[1]  # a power of two: every product is exact
    assert saliency_mask(square, square, gamma=1.0).all()


# The Fisher information of a model.


@each_family
@pytest.mark.parametrize("size", [1, 3])
def test_fisher_is_the_sum_of_squared_gradients_of_each_batch(build: Build, size: int) -> None:
    loaded = build()
    found, count = fisher(loaded.model, batches(loaded, 7, size))
    names = [name for name, _ in loaded.model.named_parameters()]
    assert list(found) == names
    assert count == len(range(0, 7, size))
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


def test_weights_that_no_gradient_reaches_have_zeros() -> None:
    # LLaVA takes its image features from the last layer but one: the last one and the norm after it are idle.
    loaded = tiny.llava()
    found, _ = fisher(loaded.model, batches(loaded, 4, 2))
    idle = [name for name in found if "vision_tower.encoder.layers.2." in name or "post_layernorm" in name]
    assert len(idle) == 18
    assert not any(found[name].any() for name in idle)
    busy = [name for name in found if "vision_tower.encoder.layers.1." in name and "k_proj.bias" not in name]
    assert all(found[name].any() for name in busy)


def test_words_alone_leave_the_vision_tower_at_zero() -> None:
    loaded = tiny.qwen()
    texts = [example for example in tiny.examples(6) if example.image is None]
    found, _ = fisher(loaded.model, [loaded.encoder.batch(texts)])
    assert not any(found[name].any() for name in found if name.startswith("model.visual."))
    assert found["lm_head.weight"].any()


@each_family
@pytest.mark.parametrize("training", [True, False])
def test_fisher_leaves_the_model_as_it_was(build: Build, training: bool) -> None:
    loaded = build()
    loaded.model.train(training)
    before = weights_of(loaded.model)
    modes = []
    hook = loaded.model.register_forward_pre_hook(lambda module, arguments: modes.append(module.training))
    fisher(loaded.model, batches(loaded, 4, 2))
    hook.remove()
    assert modes == [False, False]  # no dropout in the gradients
    assert loaded.model.training == training
    for name, weight in loaded.model.named_parameters():
        assert weight.grad is None, name
        assert not weight._post_accumulate_grad_hooks, name
        assert torch.equal(weight, before[name])


def test_gradients_left_over_from_before_do_not_count() -> None:
    loaded = tiny.llava()
    expected, _ = fisher(loaded.model, batches(loaded, 4, 2))
    for weight in loaded.model.parameters():
        weight.grad = torch.ones_like(weight)
    found, _ = fisher(loaded.model, batches(loaded, 4, 2))
    for name in expected:
        assert torch.equal(found[name], expected[name]), name


def test_a_failing_pass_leaves_no_hooks_behind() -> None:
    loaded = tiny.llava()
    loaded.model.train()

    def broken() -> object:
        yield from batches(loaded, 2, 2)
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        fisher(loaded.model, broken())  # type: ignore[arg-type]
    assert loaded.model.training
    assert not any(weight._post_accumulate_grad_hooks for weight in loaded.model.parameters())


def test_half_precision_models_are_summed_in_float32() -> None:
    # 0.01 squared is 1e-4: one such batch vanishes beside 1 in bfloat16 (which steps by 0.0078 there), 200 do not.
    loaded = tiny.llava()
    loaded.model.to(torch.bfloat16)
    found, _ = fisher(loaded.model, batches(loaded, 2, 2))
    assert {total.dtype for total in found.values()} == {torch.float32}

    class Line(nn.Module):
        """Its gradient by `weight` is 1 in the first batch and 0.01 in each later one."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))

        def forward(self, input_ids: Tensor, use_cache: bool) -> object:
            # Two words, the second of which is the answer: d(-log p)/d(weight) = scale / 2 at weight 0.
            logits = torch.zeros(1, 2, 2, dtype=torch.bfloat16)
            scale = input_ids[0, 0].to(torch.bfloat16) / 100
            logits = logits + torch.stack([scale * self.weight, -scale * self.weight], -1)
            return type("Output", (), {"logits": logits})

    def batch(hundredths: int) -> Batch:
        return Batch({"input_ids": torch.tensor([[hundredths, 0]])}, torch.tensor([[1]]), torch.tensor([0]))

    sums, count = fisher(Line(), [batch(100), *[batch(1)] * 200])
    assert count == 201
    assert sums["weight"].item() == pytest.approx(1 + 200 * 1e-4, rel=1e-2)


@each_family
def test_frozen_weights_have_no_saliency(build: Build) -> None:
    loaded = build()
    freeze_other_parts(loaded.model, ("projector",))
    found, _ = fisher(loaded.model, batches(loaded, 4, 2))
    assert set(found) == {name for name, weight in loaded.model.named_parameters() if weight.requires_grad}


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
    mask.save(path)
    found = SaliencyMask.load(path)
    assert found.shapes == mask.shapes
    assert all(torch.equal(found.mask(name), mask.mask(name)) for name in mask.bits)
    assert set(found.bits) == set(mask.bits)
    found.check_fits(model)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_saved_mask_takes_an_eighth_of_a_byte_a_weight(tmp_path: Path) -> None:
    masks = {f"layers.{layer}.weight": torch.rand(1024, 1024) < 0.5 for layer in range(4)}
    SaliencyMask.from_masks(masks).save(tmp_path / "mask")
    dense = sum(mask.numel() for mask in masks.values())  # a bool is a byte
    assert (tmp_path / "mask").stat().st_size <= dense / 8 + 2048


def test_density_is_the_share_of_weights_that_pass() -> None:
    mask = SaliencyMask.from_masks({"a": torch.tensor([True, False, False]), "b": torch.ones(3, 3, dtype=torch.bool)})
    assert mask.density() == pytest.approx(10 / 12)
    assert mask.density(["a"]) == pytest.approx(1 / 3)
    assert mask.density(["a", "elsewhere"]) == pytest.approx(1 / 3)


# The mask of a model.


@each_family
def test_the_mask_of_a_model_compares_mean_squared_gradients(build: Build) -> None:
    loaded = build()
    forget, preserve = batches(loaded, 4, 2), batches(loaded, 9, 2, seed=2)
    mask = SaliencyMask.build(loaded.model, forget, preserve, gamma=1.0)
    forget_sums, forget_count = fisher(loaded.model, forget)
    preserve_sums, preserve_count = fisher(loaded.model, preserve)
    assert (forget_count, preserve_count) == (2, 5)
    for name, total in forget_sums.items():
        clear = (total / 2 - preserve_sums[name] / 5).abs() > 1e-4 * total / 2  # all but near-ties
        assert torch.equal(mask.mask(name)[clear], (total / 2 >= preserve_sums[name] / 5)[clear]), name
    assert 0.05 < mask.density() < 0.95
    mask.check_fits(loaded.model)


def test_a_larger_gamma_lets_less_through() -> None:
    loaded = tiny.llava()
    forget, preserve = batches(loaded, 4, 2), batches(loaded, 4, 2, seed=2)
    densities = [SaliencyMask.build(loaded.model, forget, preserve, gamma).density() for gamma in (0, 0.5, 1, 2)]
    assert densities[0] == 1.0
    assert densities == sorted(densities, reverse=True)
    assert len(set(densities)) == 4


@each_family
def test_a_gamma_that_leaves_nothing_to_forget_through_is_refused(build: Build) -> None:
    # Weights that neither set reaches are in the mask at any gamma, but no forget gradient passes there.
    loaded = build()
    same = batches(loaded, 4, 2)
    with pytest.raises(InputError, match=r"gamma=2\.0 masks out every weight"):
        SaliencyMask.build(loaded.model, same, same, gamma=2.0)


def test_an_empty_set_is_refused() -> None:
    loaded = tiny.llava()
    some = batches(loaded, 2, 2)
    for forget, preserve in (([], some), (some, [])):
        with pytest.raises(InputError, match="at least one forget and one preserve example"):
            SaliencyMask.build(loaded.model, forget, preserve)


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
