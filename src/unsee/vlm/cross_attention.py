"""Layers that look at images from every token (Llama-3.2-Vision): what they do to rows in words alone.

transformers leaves these layers out when no row of a batch has an image. When some row has one, the others attend to an
empty image, all of it, so that what a row says depends on its neighbours. Here such rows pass the layers as they are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_SEES = "full_text_row_masked_out_mask"  # of such a layer: 0 at tokens that see no image; shape (batch, 1, time, 1)


def let_words_pass(model: nn.Module) -> None:
    """Make the layers of a model that look at images leave rows without one as they are; other models have none."""
    from transformers.models.mllama.modeling_mllama import MllamaCrossAttentionDecoderLayer

    for module in model.modules():
        if isinstance(module, MllamaCrossAttentionDecoderLayer):
            module.register_forward_hook(_pass_words, with_kwargs=True)


def _pass_words(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any], output: Any) -> Any:
    sees: Tensor | None = named.get(_SEES)
    if sees is None:
        return output
    before = given[0] if given else named["hidden_states"]
    has_image = sees.flatten(1).any(dim=1).view(-1, 1, 1)
    return torch.where(has_image, output, before)
