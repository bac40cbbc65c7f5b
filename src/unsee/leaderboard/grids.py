"""What is compared, and the nine configurations of each.

The rules, the same for every row:

- nine configurations: three learning rates times three values of what matters most to the method besides (its main
  hyper-parameter; the number of steps where it has none);
- the same weights may move: projector and language model. The image encoder stays as it is;
- batches of 16 forget rows, with as many retain rows where a method has them, and a constant rate;
- `+lora` rows train adapters of rank 16 on the same parts, at rates ten times as high; `+l1` rows add the l1 norm of
  the adapters to the loss, `+gate` rows put MMUnlearner's mask before the forget loss.

A method without a grid here gets the default: its forget weight if it has one, else the number of steps. Methods of
files and installed packages are rows where they are named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from typing import Any, Literal

from unsee.errors import InputError, did_you_mean
from unsee.methods import METHODS, build, find, hyper_parameters
from unsee.methods.registry import code_of, in_full, plugins
from unsee.runs.settings import Settings
from unsee.system.plugins import names_a_file
from unsee.types import Part

BUDGET = 9
PARTS: tuple[Part, ...] = ("projector", "language")
RATES = (3e-5, 1e-4, 3e-4)
LORA_RATES = (3e-4, 1e-3, 3e-3)
STEPS = 50
STEP_CHOICES = (15, 30, 60)  # for methods whose main choice is when to stop
BATCH = 16
RANK = 16

Kind = Literal["control", "method", "variant"]
Choice = Mapping[str, Any]  # changes of a configuration: hyper-parameters, and `max_steps` or `l1`

FACTS, RETAIN_PRESERVED = "+facts", "retain_preserved"  # the mark of rows, and the setting of their runs
RETAIN_ONLY, NOISE = "retain_finetune", "random_noise"
_CONTROLS = (RETAIN_ONLY, NOISE)
_OF_CONFIGURATION = ("max_steps", "l1")

_WEIGHTS: tuple[Choice, ...] = ({"forget_weight": 0.3}, {"forget_weight": 1.0}, {"forget_weight": 3.0})
_STEPS: tuple[Choice, ...] = tuple({"max_steps": steps} for steps in STEP_CHOICES)

# The middle of three is the likeliest; a smaller budget begins there.
GRIDS: dict[str, tuple[Choice, ...]] = {
    "retain_finetune": _STEPS,
    "grad_ascent": ({"max_steps": 8}, {"max_steps": 15}, {"max_steps": 30}),
    "grad_diff": ({"ceiling": 0.0}, {"ceiling": 1.0}, {"ceiling": 2.0}),
    "kl": ({"forget_weight": 0.03}, {"forget_weight": 0.1}, {"forget_weight": 0.3}),
    "npo": ({"beta": 0.3}, {"beta": 1.0}, {"beta": 3.0}),
    "simnpo": (
        {"beta": 4.5, "forget_weight": 0.125},  # as published
        {"beta": 2.5, "forget_weight": 1.0},
        {"beta": 4.5, "forget_weight": 1.0},
    ),
    "mmunlearner": (
        {"ceiling": 0.0, "gamma": 1.0},  # as published
        {"ceiling": 1.0, "gamma": 0.5},
        {"ceiling": 1.0, "gamma": 1.0},
    ),
    "gated_npo": ({"beta": 0.3}, {"beta": 1.0}, {"beta": 3.0}),
    "idk": _WEIGHTS,
    # Its pull at the start is forget_weight * beta / 2 that of ascent, and fades the sooner the larger beta is.
    "dpo": (
        {"beta": 0.1, "forget_weight": 10.0},
        {"beta": 0.1, "forget_weight": 30.0},
        {"beta": 0.3, "forget_weight": 10.0},
    ),
    "undial": tuple({"strength": strength, "retain_weight": 1.0} for strength in (3.0, 10.0, 30.0)),
    "entropy": _WEIGHTS,
    "llmu": ({"forget_weight": 0.1}, {"forget_weight": 0.3}, {"forget_weight": 1.0}),
    "scrub": (
        {"schedule": "joint", "forget_weight": 0.1},
        {"schedule": "joint", "forget_weight": 0.3},
        {"schedule": "alternating", "forget_weight": 0.3},
    ),
    # The published weight of 1200 is for models thirty times as wide; with it nothing moves here.
    "rmu": tuple({"coefficient": length, "retain_weight": 1.0} for length in (6.5, 20.0, 60.0)),
    "sku": ({"scale": 0.5}, {"scale": 1.0}, {"scale": 2.0}),
}


@dataclass(frozen=True)
class Configuration:
    """Everything that determines a training beside the world."""

    learning_rate: float
    max_steps: int = STEPS
    parts: tuple[Part, ...] = PARTS
    batch_size: int = BATCH
    lora: int | None = None  # rank; None trains the weights themselves
    hyper_parameters: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)  # further settings of a run, such as l1

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {**asdict(self), "parts": list(self.parts)}

    @property
    def label(self) -> str:
        """What differs between the configurations of a row, in a few words."""
        words = [f"lr {self.learning_rate:g}", f"{self.max_steps} steps"]
        words += [f"{name} {written(value)}" for name, value in {**self.hyper_parameters, **self.extra}.items()]
        return ", ".join(words)


def written(value: Any) -> str:
    """A setting in as few letters as it needs."""
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def configuration(values: Mapping[str, Any]) -> Configuration:
    """From `Configuration.to_dict`."""
    return Configuration(**{**values, "parts": tuple(values["parts"])})


@dataclass(frozen=True)
class Centre:
    """What a grid is laid around, the same for every row.

    Attributes:
        rates: three learning rates of weights.
        lora_rates: the same of adapters.
        steps: optimizer steps; choices of a number of steps are in proportion.
        parts: where weights may move.
        batch_size: forget rows per forward pass.
        adapters: whether all rows train adapters, so that none is a variant for doing so.
    """

    rates: tuple[float, ...]
    lora_rates: tuple[float, ...]
    steps: int
    parts: tuple[Part, ...]
    batch_size: int
    adapters: bool = False


WORLD = Centre(RATES, LORA_RATES, STEPS, PARTS, BATCH)


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard."""

    name: str
    method: str
    kind: Kind
    configurations: tuple[Configuration, ...]
    code: str = ""  # digest of the file of a method from outside


@dataclass(frozen=True)
class _Variant:
    """A method in another setting, as a row of its own."""

    method: str
    choices: tuple[Choice, ...]
    lora: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


# What the l1 rows answer needs the same method and rates without it.
_L1: tuple[Choice, ...] = ({"l1": 1e-4}, {"l1": 1e-3}, {"l1": 1e-2})
VARIANTS: dict[str, _Variant] = {
    "grad_ascent+lora": _Variant("grad_ascent", GRIDS["grad_ascent"], lora=True),
    "grad_ascent+l1": _Variant("grad_ascent", tuple({**choice, "max_steps": 15} for choice in _L1), lora=True),
    "grad_diff+lora": _Variant("grad_diff", GRIDS["grad_diff"], lora=True),
    "grad_diff+l1": _Variant("grad_diff", tuple({**choice, "ceiling": 0.0} for choice in _L1), lora=True),
    "npo+lora": _Variant("npo", GRIDS["npo"], lora=True),
    "npo+l1": _Variant("npo", tuple({**choice, "beta": 1.0} for choice in _L1), lora=True),
    "simnpo+gate": _Variant("simnpo", GRIDS["simnpo"], extra={"gate": "saliency"}),
}


def available(centre: Centre = WORLD) -> list[str]:
    """Names of all rows that this installation can fill, methods first; noise has no grid of its own."""
    methods = [name for name, method in METHODS.items() if name != NOISE and not getattr(method.needs, "spans", False)]
    variants = [
        name
        for name, variant in VARIANTS.items()
        if variant.method in METHODS and _possible(variant) and not (centre.adapters and name.endswith("+lora"))
    ]
    return [*methods, *variants]


def _possible(variant: _Variant) -> bool:
    wanted = {*variant.extra, *(name for choice in variant.choices for name in choice if name == "l1")}
    return wanted <= set(Settings.model_fields)


def with_text_facts(made: Sequence[Row]) -> list[Row]:
    """Every row, and again as a row that trains on what a mask protects as well: for a visual request, text facts."""
    return [again for row in made for again in (row, _with_text_facts(row))]


def _with_text_facts(row: Row) -> Row:
    further = [replace(one, extra={**one.extra, RETAIN_PRESERVED: True}) for one in row.configurations]
    return replace(row, name=f"{row.name}{FACTS}", kind="variant", configurations=tuple(further))


def rows(names: Sequence[str] | None = None, budget: int = BUDGET, centre: Centre = WORLD) -> list[Row]:
    """The rows of a leaderboard, each with as many configurations as every other.

    Args:
        names: which ones, a method from outside by its name or place; all of this package when not given. The
            retain-only control is always among them.
        budget: configurations of each row, at most nine; fewer begin in the middle of the grid.
        centre: what the grids are laid around.

    Raises:
        InputError: for an unknown name, a method from outside that cannot be used, or a budget out of range.
    """
    if not 1 <= budget <= BUDGET:
        raise InputError(f"budget: {budget} is out of range; grids hold {BUDGET} configurations, give 1 to {BUDGET}")
    known = available(centre)
    if centre.adapters and (doubled := [name for name in names or () if name in VARIANTS and name not in known]):
        plain = doubled[0].removesuffix("+lora")
        raise InputError(f"methods: {doubled[0]!r} is {plain} with adapters, which all rows have here; name {plain}")
    wanted = known if names is None else [name for name in known if name in {RETAIN_ONLY, *names}]
    outside = dict.fromkeys(in_full(name) for name in names or () if name not in known)
    made = [_row(name, budget, centre) for name in wanted]
    made += [_row_from_outside(name, known, budget, centre) for name in outside]
    if twice := next((name for name, count in Counter(row.name for row in made).items() if count > 1), None):
        raise InputError(f"methods: {twice!r} is the name of two of them; give each a name of its own")
    return made


def _row(name: str, budget: int, centre: Centre) -> Row:
    variant = VARIANTS.get(name) or _Variant(name, grid_of(name))
    rates = centre.lora_rates if variant.lora else centre.rates
    made = [_configuration(variant, rate, choice, centre) for rate, choice in product(rates, variant.choices)]
    kind: Kind = "variant" if name in VARIANTS else "control" if name in _CONTROLS else "method"
    return Row(name, variant.method, kind, tuple(from_the_middle(made)[:budget]))


def _row_from_outside(method: str, known: Sequence[str], budget: int, centre: Centre) -> Row:
    """The row of a method of a file or of an installed package, with the default grid."""
    if not names_a_file(method) and method not in plugins():
        names = [*known, *plugins()]
        raise InputError(f"methods: {method!r} is unknown{did_you_mean(method, names)}; there are {', '.join(names)}")
    if find(method).needs.spans:
        raise InputError(f"methods: {method} trains on spans of captions, which no bench has")
    return replace(_row(method, budget, centre), name=find(method).name, code=code_of(method))


def _configuration(variant: _Variant, rate: float, choice: Choice, centre: Centre) -> Configuration:
    return Configuration(
        learning_rate=rate,
        max_steps=max(1, round(choice.get("max_steps", STEPS) / STEPS * centre.steps)),
        parts=centre.parts,
        batch_size=centre.batch_size,
        lora=RANK if variant.lora and not centre.adapters else None,
        hyper_parameters={name: value for name, value in choice.items() if name not in _OF_CONFIGURATION},
        extra={**variant.extra, **{name: choice[name] for name in ("l1",) if name in choice}},
    )


def grid_of(method: str) -> tuple[Choice, ...]:
    """The three values of a method's main choice."""
    known = {parameter.name for parameter in hyper_parameters(method)}
    chosen = GRIDS.get(method, ())
    if chosen and all(set(choice) <= {*known, *_OF_CONFIGURATION} for choice in chosen):
        return chosen
    return _WEIGHTS if "forget_weight" in known and all(_takes(method, choice) for choice in _WEIGHTS) else _STEPS


def _takes(method: str, choice: Choice) -> bool:
    """Whether hyper-parameters are within the ranges of a method."""
    try:
        build(method, choice)
    except InputError:
        return False
    return True


def from_the_middle(made: Sequence[Configuration]) -> list[Configuration]:
    """Nine in the order of their distance from the fifth."""
    middle = len(made) // 2
    far: Callable[[int], int] = lambda place: abs(place // 3 - middle // 3) + abs(place % 3 - middle % 3)  # noqa: E731
    return [made[place] for place in sorted(range(len(made)), key=far)]
