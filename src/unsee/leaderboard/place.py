"""What the cells of one setting share in a worker: rows that were read once, and a model that was loaded once."""

from __future__ import annotations

import gc
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unsee.data import Benchmark, Probe
from unsee.evaluation.measure import check_numbers, measure_all
from unsee.leaderboard.grids import NOISE, Configuration
from unsee.methods import find
from unsee.methods.registry import code_of
from unsee.runs.settings import Settings, parse
from unsee.vlm import LoadedModel

if TYPE_CHECKING:
    import torch

# A prompt of our own, before every question to the base. The world's models know no system role.
REFUSING = (
    "You must not say anything about {names}, neither from a photo nor by name. "
    "If a question is about one of them, answer that you do not know."
)
_NOT_OF_MASKS = ("forget_weight", "retain_weight", "ceiling", "beta", "variant")  # which a mask does not know


@dataclass(frozen=True)
class Rows:
    """What is trained on and asked in a setting.

    Attributes:
        sets: training rows; its probes are not asked.
        probes: what is asked.
        names: of those who are to be forgotten, for a prompt.
        reported: probes of which no training may see a row when it chooses its state or its rate.
    """

    sets: Benchmark
    probes: Sequence[Probe]
    names: Sequence[str]
    reported: Sequence[Probe] = ()


class Base:
    """The model that every training of a worker begins with; its weights are put back before each."""

    def __init__(self) -> None:
        self.start: dict[str, torch.Tensor] = {}  # weights that may move, as they were loaded
        self._loaded: LoadedModel | None = None
        self._of: Any = None

    def fresh(self, settings: Settings) -> LoadedModel:
        """The model as it was loaded: with the same parts and adapters it is the one that was here before."""
        # Fresh adapters are random, and another seed gives others.
        seed = settings.seed if settings.lora else None
        wanted = (settings.model, settings.parts, settings.dtype, settings.quantize, settings.lora, seed)
        if self._loaded is None or wanted != self._of:
            self._loaded, self._of = self._load(settings), wanted
        self._put_back(self._loaded)
        return self._loaded

    def _load(self, settings: Settings) -> LoadedModel:
        from unsee.runs.models import load_model

        earlier = self._loaded if self._of and self._of[0] == settings.model else None
        self.drop()
        loaded = load_model(settings)
        self.start = {
            name: weight.detach().to("cpu", copy=True)
            for name, weight in loaded.model.named_parameters()
            if weight.requires_grad
        }
        if earlier is None:
            return loaded
        return replace(loaded, processor=earlier.processor, encoder=earlier.encoder)  # which keeps what it has read

    def _put_back(self, loaded: LoadedModel) -> None:
        for name, weight in loaded.model.named_parameters():
            if name in self.start:
                weight.data = self.start[name].to(weight.device, copy=True)

    def drop(self) -> None:
        """Make room for another model."""
        self._loaded, self.start = None, {}
        gc.collect()

    def moved(self, loaded: LoadedModel) -> float:
        """L2 norm of what has changed since; of the factors, for adapters."""
        import torch

        with torch.no_grad():
            squares = [
                (weight.cpu() - self.start[name]).double().square().sum()
                if name in self.start
                else torch.zeros((), dtype=torch.float64)
                for name, weight in loaded.model.named_parameters()
            ]
            return float(torch.stack(squares).sum().sqrt())


@dataclass(frozen=True)
class Place:
    """A setting as a worker has it open.

    Attributes:
        rows: what is trained on and asked.
        base: the model in memory.
        gold: folder or hub id of the other model.
        common: settings of every run, with `model`; configurations lie over them.
        seed: of the trainings.
        of_masks: what determines a saliency mask, beside the method and where weights may move.
    """

    rows: Rows
    base: Base
    gold: str
    common: Mapping[str, Any]
    seed: int
    of_masks: Mapping[str, Any]

    def settings(self, method: str, chosen: Configuration, out: Path) -> Settings:
        """Of the run that a configuration stands for."""
        return parse(run_values(self.common, method, chosen, self.seed, out))

    @property
    def measuring(self) -> Settings:
        """Settings under which a model is measured that nothing has trained."""
        return parse({**self.common, "out": "measured", "seed": self.seed})

    def measured(self, loaded: LoadedModel, target: Path, prompted: bool = False) -> dict[str, Any]:
        """What a model says to every probe, and how long that took."""
        started, settings = time.perf_counter(), self.measuring
        asked = [self._prompted(probe) for probe in self.rows.probes] if prompted else self.rows.probes
        records = measure_all(loaded, asked, target / "records", settings.eval_batch_size, settings.max_new_tokens)
        for rows in records.values():
            check_numbers(rows, loaded.source)
        if prompted:  # the question is the same, however it was put
            records = {
                probe.name: [
                    replace(record, question=example.question)
                    for record, example in zip(records[probe.name], probe.examples, strict=True)
                ]
                for probe in self.rows.probes
            }
        return {"records": records, "measure_seconds": round(time.perf_counter() - started, 2)}

    def _prompted(self, probe: Probe) -> Probe:
        prompt = REFUSING.format(names=", ".join(self.rows.names))
        return replace(probe, examples=[replace(row, question=f"{prompt} {row.question}") for row in probe.examples])

    def untrained(self) -> LoadedModel:
        """The base."""
        return self.base.fresh(self.measuring)

    def gold_model(self) -> LoadedModel:
        """Gold, in the place of the base."""
        from unsee.vlm import load

        settings = self.measuring
        self.base.drop()
        return load(
            self.gold,
            dtype=settings.dtype,
            parts=(),
            quantize=settings.quantize,
            trust_remote_code=settings.trust_remote_code,
        )

    def trained(self, method: str, chosen: Configuration, masks: Path) -> tuple[LoadedModel, dict[str, Any]]:
        """The base after a training by a configuration, and what is known of that."""
        from unsee.runs.train import trained
        from unsee.runs.trainer import config

        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as scratch:
            settings = self.settings(method, chosen, Path(scratch))
            loaded, arguments = self.base.fresh(settings), config(settings, Path(scratch))
            arguments.save_strategy = "no"
            if settings.built_method.needs.saliency or settings.gate:
                arguments.saliency_file = str(self._mask_file(masks, method, chosen))
            trainer, facts = trained(settings, self.rows.sets, loaded, arguments, reported=self.rows.reported)
        density = trainer.mask.density() if trainer.mask is not None else None
        del trainer
        gc.collect()  # trainers hold themselves and their model in circles
        return loaded, {
            "train_seconds": round(time.perf_counter() - started, 2),
            "moved": self.base.moved(loaded),
            "mask_density": density,
            "steps": facts["steps"],
        }

    def _mask_file(self, masks: Path, method: str, chosen: Configuration) -> Path:
        """Masks of the same setting, parts and thresholds are the same, whatever the rest of the method."""
        values = {k: v for k, v in chosen.hyper_parameters.items() if k not in _NOT_OF_MASKS}
        defaults = {k: v for k, v in _defaults(method).items() if k not in _NOT_OF_MASKS}
        own = {**defaults, **values} if find(method).needs.saliency else {}
        what = {**self.of_masks, **own, **chosen.extra, "parts": chosen.parts, "lora": chosen.lora}
        if code := code_of(method):  # which may make its thresholds in its own way
            what["code"] = code
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
        masks.mkdir(parents=True, exist_ok=True)
        return masks / f"{digest}.safetensors"


@dataclass(frozen=True)
class Trial:
    """What can be tried out before a bench.

    Attributes:
        place: with a model that can be trained and asked.
        rows: by stage, how many questions a cell of it asks.
        making: from the model as it is loaded to the optimizer steps of each model that has to be made of it.
    """

    place: Place
    rows: Mapping[str, int]
    making: Callable[[LoadedModel], dict[str, int]]


def run_values(
    common: Mapping[str, Any], method: str, chosen: Configuration, seed: int, out: Path | str
) -> dict[str, Any]:
    """The settings of a run by key: what all have in common, and over it what a configuration says."""
    values = {
        **common,
        "out": str(out),
        "method": method,
        "hyper_parameters": dict(chosen.hyper_parameters),
        "parts": chosen.parts,
        "learning_rate": chosen.learning_rate,
        "max_steps": chosen.max_steps,
        "batch_size": chosen.batch_size,
        "seed": seed,
        **chosen.extra,
    }
    if method == NOISE:
        values["find_rate"] = False  # it takes no steps, so that a rate would be no use
    return {**values, "lora": {"rank": chosen.lora, "alpha": chosen.lora}} if chosen.lora else values


def _defaults(method: str) -> Mapping[str, Any]:
    from unsee.methods import hyper_parameters

    return {parameter.name: parameter.default for parameter in hyper_parameters(method)}
