"""Methods by name: what they are called, what can be set on them, and what is refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from unsee.errors import InputError
from unsee.methods import METHODS, build, find, hyper_parameters

NAMES = ["retain_finetune", "grad_ascent", "grad_diff", "kl", "npo", "mmunlearner"]


def test_every_method_is_found_by_its_name() -> None:
    assert set(NAMES) <= METHODS.keys()
    assert all(find(name).name == name for name in METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_every_hyper_parameter_has_a_default_and_a_meaning(name: str) -> None:
    for parameter in hyper_parameters(name):
        assert parameter.meaning
        assert getattr(build(name), parameter.name) == parameter.default
    assert "arXiv" in find(name).paper
    assert find(name).__doc__


@pytest.mark.parametrize("name", METHODS)
def test_every_hyper_parameter_can_be_set_also_as_text(name: str) -> None:
    for parameter in hyper_parameters(name):
        other = 0.5 if isinstance(parameter.default, float) else parameter.default  # words and counts as they are
        assert getattr(build(name, {parameter.name: other}), parameter.name) == other
        assert getattr(build(name, {parameter.name: str(other)}), parameter.name) == other


def test_a_method_cannot_be_changed_once_built() -> None:
    method: Any = build("npo")
    with pytest.raises(FrozenInstanceError):
        method.beta = 0.2


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("npoo", {}, "method: 'npoo' is unknown .did you mean 'npo'.*; there are retain_finetune, .*mmunlearner"),
        ("npo", {"bta": 1}, "npo: no hyper-parameter 'bta' .did you mean 'beta'.*; it has beta, forget_weight, ret"),
        ("grad_ascent", {"beta": 1}, "grad_ascent: no hyper-parameter 'beta'; it has none"),
        ("npo", {"beta": 0}, "npo: beta=0: input should be greater than 0"),
        ("npo", {"beta": float("nan")}, "npo: beta=nan"),
        ("npo", {"beta": "much"}, "npo: beta='much': input should be a valid number"),
        ("grad_diff", {"forget_weight": -1}, "grad_diff: forget_weight=-1: input should be greater than or equal to 0"),
        ("mmunlearner", {"gamma": -0.5}, "mmunlearner: gamma=-0.5"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(name: str, values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        build(name, values)
    assert "\n" not in str(refusal.value)
