"""What a decoder holds at a depth, of any family, at the positions of a row and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.families import Build, every_family
from tests.vlm.test_reference import stir, with_lora
from unsee.vlm import Batch, LoadedModel, Policy
from unsee.vlm.reference import AdapterOffReference, CachedReference, CopyReference, NoReference


@torch.no_grad()
def layer_output(loaded: LoadedModel, batch: Batch, layer: int) -> Tensor:
    """What a layer of the decoder returns, caught on its way."""
    caught: list[Tensor] = []

    def catch(module: Any, given: Any, returned: Any) -> None:
        caught.append(returned[0] if isinstance(returned, tuple) else returned)

    model: Any = loaded.model
    hook = model.get_decoder().layers[layer].register_forward_hook(catch)
    model(**batch.inputs)
    hook.remove()
    return caught[0]


@every_family
@pytest.mark.parametrize("depth", [0.01, 0.5, 0.7])
def test_depth_is_a_fraction_of_the_layers(build: Build, depth: float) -> None:
    loaded = build()  # two layers, so that all of these are the first
    loaded.model.eval()
    batch = loaded.encoder.batch(tiny.examples(3))
    found = Policy(loaded.model).hidden_states(batch, depth)
    assert torch.equal(found.values, layer_output(loaded, batch, 0))
    assert found.values.requires_grad


@every_family
def test_the_deepest_states_are_those_that_the_head_sees(build: Build) -> None:
    loaded = build()
    loaded.model.eval()
    batch = loaded.encoder.batch(tiny.examples(3))
    found = Policy(loaded.model).hidden_states(batch, 1.0).at_answers(batch.labels)
    model: Any = loaded.model
    logits = model.get_output_embeddings()(found.values)
    torch.testing.assert_close(logits, Policy(loaded.model).answer_logits(batch).values, rtol=0, atol=1e-5)
    assert torch.equal(found.mask, Policy(loaded.model).answer_logits(batch).mask)
    assert found.values.shape[-1] == Policy(loaded.model).hidden_size


@every_family
def test_positions_are_those_of_the_row_with_its_image_and_without_padding(build: Build) -> None:
    loaded, examples = build(), tiny.examples(4)
    loaded.model.eval()
    policy = Policy(loaded.model)
    together = policy.hidden_states(loaded.encoder.batch(examples), 0.5)
    assert not together.mask.all()
    for row, example in enumerate(examples):
        alone = policy.hidden_states(loaded.encoder.batch([example]), 0.5)
        assert alone.mask.all()
        torch.testing.assert_close(together.values[row][together.mask[row]], alone.values[0], rtol=0, atol=1e-5)


@every_family
def test_references_hold_the_states_of_the_starting_model(build: Build, tmp_path: Path) -> None:
    base, adapted = with_lora(build, tmp_path)
    batch = base.encoder.batch(tiny.examples(3))
    expected = Policy(base.model.eval()).hidden_states(batch, 0.5).values
    copied = CopyReference(Policy(base.model))
    stir(base.model)
    stir(adapted.model)
    assert not torch.equal(Policy(adapted.model.eval()).hidden_states(batch, 0.5).values, expected)
    for reference in (copied, AdapterOffReference(Policy(adapted.model))):
        found = reference.hidden_states(batch, 0.5).values
        assert torch.equal(found, expected)
        assert not found.requires_grad


def test_a_reference_without_them_says_so() -> None:
    batch = tiny.llava().encoder.batch(tiny.examples(1))
    with pytest.raises(RuntimeError, match="did not declare"):
        NoReference().hidden_states(batch, 0.5)
    with pytest.raises(RuntimeError, match="log-probabilities alone"):
        CachedReference(torch.zeros(1)).hidden_states(batch, 0.5)
