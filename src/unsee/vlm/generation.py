"""The generation settings that a checkpoint comes with: what ends a turn, and what keeps them from being saved.

Answers are decoded greedily here whatever they say (`unsee.vlm.generate`); they are kept for those who use the model.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import GenerationConfig

from unsee.errors import InputError
from unsee.vlm.checkpoint import brief
from unsee.vlm.policy import innermost

_SAMPLING = ("temperature", "top_p", "min_p", "top_h", "typical_p", "top_k", "epsilon_cutoff", "eta_cutoff")
_BEAMS = ("early_stopping", "length_penalty")


def settle(config: GenerationConfig | None, what: str) -> None:
    """Make settings such that they can be saved, without a change to what they mean.

    Published checkpoints have `temperature: 0.2` beside `do_sample: false`. It is without effect, and
    `save_pretrained` refuses it, after hours of training. Such settings are dropped.

    Args:
        config: changed in place.
        what: begins the line of an error.

    Raises:
        InputError: they cannot be saved for another reason.
    """
    if config is None or _complaint(config) is None:
        return
    without_effect = [*(() if config.do_sample else _SAMPLING), *(_BEAMS if config.num_beams in (None, 1) else ())]
    for name in without_effect:
        if hasattr(config, name):
            setattr(config, name, None)
    complaint = _complaint(config)
    if complaint is not None:
        raise InputError(f"{what} could not be saved with the model: {brief(complaint)}")


def _complaint(config: GenerationConfig) -> Exception | None:
    try:
        config.validate(strict=True)
    except (ValueError, TypeError, AttributeError) as error:
        return error
    return None


def end_of_turn_ids(model: nn.Module) -> list[int]:
    """The tokens on which the model's generation stops.

    Raises:
        InputError: they are no numbers.
    """
    ids: Any = getattr(getattr(innermost(model), "generation_config", None), "eos_token_id", None)
    tokens = [] if ids is None else ids if isinstance(ids, (list, tuple)) else [ids]
    if not all(type(token) is int and token >= 0 for token in tokens):
        raise InputError(f"generation_config.json: eos_token_id is {ids!r}; give the number of a token, or several")
    return list(tokens)
