"""PLAN.yaml: which model, which rows, which methods, and how much each may try."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError

from unsee.benchmarks import find, select
from unsee.data.held_out import HELD_OUT
from unsee.data.load import SUBJECT
from unsee.errors import InputError, did_you_mean
from unsee.leaderboard.grids import BUDGET
from unsee.methods.registry import in_full
from unsee.runs.settings import Settings
from unsee.runs.settings.groups import Groups
from unsee.runs.settings.model import Text
from unsee.runs.settings.reading import complaint
from unsee.runs.settings.sources import absolute, as_lists
from unsee.runs.supervised import settings as supervised
from unsee.system import limits
from unsee.system.files import read_text
from unsee.system.plugins import names_a_file, split_place
from unsee.system.strict import parse_yaml
from unsee.types import Request

Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, le=limits.SEED)], ...],
    Field(min_length=1),
    AfterValidator(lambda seeds: tuple(dict.fromkeys(seeds))),  # one training is one observation
]
Words = Annotated[tuple[Text, ...], BeforeValidator(as_lists)]

# What a plan says elsewhere, or a bench by itself.
OF_THE_BENCH = (
    *("model", "forget", "retain", "preserve", "probes", "forget_probes", "keep_probes", "trained_on", "gold", "after"),
    *("request", "method", "hyper_parameters", "out", "seed", "stop", "retain_preserved"),
)
OF_THE_TRAINING = ("model", "data", "benchmark", "source", "training", "split", "request", "role", "probes", "out")


class OfBenchmark(BaseModel):
    """Rows of a published benchmark."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Text = Field(description="as `unsee benchmark list` has it, or FILE.py:NAME")
    source: Text = Field(description="a folder in the layout of the hub, or a hub id")
    split: Text | None = Field(None, description="who is to be forgotten; that of the benchmark if not given")
    request: Request | None = Field(None, description="what is to go; that of the benchmark if not given")
    training: Text | None = Field(None, description="repository with the training questions, of mllmu alone")
    probe_rows: Annotated[int, Field(ge=1)] | None = Field(
        None, description="measure at most so many rows of each probe, spread evenly"
    )


class OwnRows(BaseModel):
    """Rows of one's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: Text = Field(description="a JSONL or Parquet file, a folder, or a hub id, FOLDER#SPLIT")
    subject: Text = Field(SUBJECT, description="the column that says whom a row is about")
    forget: Words = Field(description="subjects to be forgotten, or a text file that names one in each line")
    request: Request = Field("both", description="what of them is to go: visual, textual or both")
    held_out: Annotated[FiniteFloat, Field(gt=0, lt=1)] = Field(
        HELD_OUT, description="share of each subject's photographs, or of the wordings of each fact, that are measured"
    )


class PlanFile(BaseModel):
    """Everything that a bench is told."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: Text | None = Field(None, description="folder or hub id; needed where base or gold has to be made from it")
    benchmark: OfBenchmark | None = Field(None, description="rows of a published benchmark")
    data: OwnRows | None = Field(None, description="or rows of one's own, in the place of it")
    methods: Annotated[Words, Field(min_length=1)] | None = Field(
        None, description="rows of the leaderboard, or FILE.py:CLASS; all of this package if not given"
    )
    budget: Annotated[int, Field(ge=1, le=BUDGET)] = Field(BUDGET, description="configurations that each row may try")
    seeds: Seeds = Field((0, 1, 2), description="of the trainings that are reported")
    development_seeds: Seeds = Field((100,), description="of the trainings by which configurations are selected")
    base: Text | None = Field(None, description="model that knows everything; made in OUT/base if not given")
    gold: Text | None = Field(None, description="model without what is to go; made in OUT/gold if not given")
    train: dict[str, Any] = Field({}, description="settings of `unsee train` for the models that are made")
    stop: Any = Field(None, description="when a training is done, as the setting `stop` of `unsee unlearn`")
    text_facts: bool = Field(
        False, description="every row a second time as ROW+facts, which trains on the preserve rows as well"
    )
    settings: dict[str, Any] = Field({}, description="of every cell, as `unsee settings` lists them")


PLAN_GROUPS: Groups = {"benchmark": (OfBenchmark, None), "data": (OwnRows, None)}


def read_plan(path: Path, over: Mapping[str, Any] | None = None) -> PlanFile:
    """A plan, checked; relative paths start at its folder.

    Args:
        path: the file.
        over: keys and values that win over those of the file.

    Raises:
        InputError: it cannot be read, or something in it is unknown, missing, or of the wrong kind.
    """
    values = parse_yaml(read_text(path), str(path))
    if not isinstance(values, dict):
        raise InputError(f"{path}: holds no keys and values; write model: FOLDER, and so on")
    given = {**{key: value for key, value in values.items() if value is not None}, **(over or {})}
    return plan_of(given, str(path), path.parent)


def plan_of(values: Mapping[str, Any], where: str = "plan", folder: Path = Path()) -> PlanFile:
    """A plan from keys and values.

    Args:
        values: by key, as `PlanFile` lists them.
        where: what an error message calls them.
        folder: where relative paths start.

    Raises:
        InputError: something is unknown (with the nearest valid key), missing, or of the wrong kind.
    """
    for key in values:
        if key not in PlanFile.model_fields:
            raise InputError(f"{where}: unknown key {key!r}{_hint(key)}")
    try:
        plan = PlanFile.model_validate(dict(values))
    except ValidationError as error:
        raise InputError(f"{where}: {_complaint(error)}") from None
    _check_together(plan, where)
    plan = _in_full(plan, folder)
    if given := plan.benchmark:  # whose file, if it is one, lies where its whole path says
        select(find(given.name), given.split, given.request, training=given.training)
    return plan


def _hint(key: str) -> str:
    if key in Settings.model_fields and key not in OF_THE_BENCH:
        return f"; it belongs under settings, as in settings: {{{key}: ...}}"
    return did_you_mean(key, PlanFile.model_fields)


def _complaint(error: ValidationError) -> str:
    first = error.errors()[0]
    if first["type"] == "missing" and len(first["loc"]) > 1:
        group, key = map(str, first["loc"][:2])
        return f"{group}.{key} is missing ({PLAN_GROUPS[group][0].model_fields[key].description})"
    return complaint(error, PlanFile, PLAN_GROUPS)


def _check_together(plan: PlanFile, where: str) -> None:
    if (plan.benchmark is None) == (plan.data is None):
        both = "both are given; keep one" if plan.data else "neither is given; name one"
        raise InputError(f"{where}: benchmark and data: {both}")
    if plan.model is None and not (plan.base and plan.gold):
        lacking = "gold" if plan.base else "base"
        raise InputError(f"{where}: model is missing; {lacking} has to be made from it, as it is not given either")
    if plan.base and plan.base == plan.gold:
        raise InputError(f"{where}: gold is the base itself; give a model that never learned what is to go")
    if shared := sorted({*plan.seeds} & {*plan.development_seeds}):
        raise InputError(f"{where}: seeds: {shared[0]} is among the development seeds too; report on others")
    for group, taken, known in (
        ("settings", OF_THE_BENCH, Settings.model_fields),
        ("train", OF_THE_TRAINING, supervised.TrainSettings.model_fields),
    ):
        for key in getattr(plan, group):
            if key in taken:
                raise InputError(f"{where}: {group}.{key} is not for a bench to be told there; leave it out")
            if key not in known:
                raise InputError(f"{where}: unknown key {f'{group}.{key}'!r}{did_you_mean(key, known)}")


def _in_full(plan: PlanFile, folder: Path) -> PlanFile:
    """With whole paths, so that it means the same wherever it is read."""
    update: dict[str, Any] = {
        key: absolute(value, folder) for key in ("model", "base", "gold") if (value := getattr(plan, key))
    }
    if plan.methods:
        update["methods"] = tuple(in_full(name, folder) for name in plan.methods)
    if plan.benchmark:
        given = plan.benchmark
        places = {key: absolute(value, folder) for key in ("source", "training") if (value := getattr(given, key))}
        update["benchmark"] = given.model_copy(update={**places, "name": _place(given.name, folder)})
    if plan.data:
        names = _names(plan.data.forget, folder)
        update["data"] = plan.data.model_copy(update={"rows": absolute(plan.data.rows, folder), "forget": names})
    return plan.model_copy(update=update)


def _place(name: str, folder: Path) -> str:
    if not names_a_file(name):
        return name
    file, of = split_place(name, "benchmark")
    return f"{(folder / file).absolute()}:{of}"


def _names(forget: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """Subjects; a single one may be a file of them."""
    if len(forget) == 1 and (folder / forget[0]).is_file():
        lines = read_text(folder / forget[0]).splitlines()
        return tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    return forget
