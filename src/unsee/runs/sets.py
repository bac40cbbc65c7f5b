"""The rows of a run: what is to be forgotten, kept and protected, and what is asked before and after."""

from __future__ import annotations

from unsee.data import Benchmark, Example, Probe, check_sets, load_examples
from unsee.data.example import Role
from unsee.data.overlap import role_by_subject
from unsee.data.sets import repeats
from unsee.errors import InputError
from unsee.evaluation.after import Earlier
from unsee.evaluation.hallucination import check_objects
from unsee.methods.gate import check_preserved, gate_of
from unsee.methods.method import needs_of, without_retain
from unsee.runs.settings import Settings

_PROBES_BY_ITSELF: dict[str, Role] = {"forget": "forget", "retain": "keep"}  # of a run that is given none


def probe_names(settings: Settings) -> set[str]:
    """Of the probes of a run, but for what an earlier one asked."""
    return set(settings.every_probe) or {role for role in _PROBES_BY_ITSELF if getattr(settings, role)}


def load_sets(settings: Settings, earlier: Earlier | None = None, check_images: bool = True) -> Benchmark:
    """The data of a run, checked. Without probes, the training rows themselves are measured, and marked so.

    Args:
        settings: of the run.
        earlier: what an earlier run was to remove, which is asked again.
        check_images: decode every picture once.

    Raises:
        InputError: a source or a row cannot be used, or the sets do not go together.
    """
    sets = {
        role: load_examples(source, check_images=check_images) if (source := getattr(settings, role)) else []
        for role in ("forget", "retain", "preserve")
    }
    probes = [
        _probe(name, load_examples(source, check_images=check_images), role, sets["forget"], settings)
        for name, (source, role) in settings.every_probe.items()
    ]
    if not probes:
        asked = [(name, role) for name, role in _PROBES_BY_ITSELF.items() if sets[name]]
        probes = [Probe(name, sets[name], trained_on=True, role=role) for name, role in asked]
    if earlier is not None:
        taken = {probe.name for probe in probes} & {probe.name for probe in earlier.probes}
        if taken:
            raise InputError(f"after: a probe is named {min(taken)} already; give it another name")
        probes += earlier.probes
    check_sets(sets["forget"], sets["retain"], probes, sets["preserve"])
    _check_preserved(settings, sets["forget"], sets["preserve"])
    check_objects(probes, settings.lexicon)
    return Benchmark(settings.forget, sets["forget"], sets["retain"], sets["preserve"], probes)


def check_needs(settings: Settings, sets: Benchmark) -> None:
    """InputError unless the method of a run has the rows that it trains on, and its mask those that it protects."""
    method = settings.built_method
    needs, kept = needs_of(method), [*sets.retain, *sets.preserve]
    if needs.retain and not sets.retain:
        raise InputError(f"{method.name} trains on retain rows and none are given; {without_retain(method)}")
    if (settings.gate or needs.saliency) and not kept:
        raise InputError("a saliency mask needs rows that it protects; add --retain FILE or --preserve FILE")
    if gate := gate_of(method, settings.gate):
        check_preserved(gate, settings.parts, sets.forget, kept)


def _check_preserved(settings: Settings, forget: list[Example], preserve: list[Example]) -> None:
    """InputError unless the preserve rows can be trained on, where that is asked for."""
    if not settings.retain_preserved:
        return
    if not preserve:
        raise InputError("retain_preserved: no preserve rows are given; add --preserve FILE, or leave it out")
    if repeats(preserve, [forget]):
        raise InputError(
            "retain_preserved: a preserve row asks what a forget row asks; it cannot be kept and forgotten, so take it "
            "out of one of the two"
        )


def _probe(name: str, rows: list[Example], role: Role | None, forget: list[Example], settings: Settings) -> Probe:
    """A probe with the role that was said, or else found."""
    role = role or role_by_subject(rows, forget, settings.request)
    return Probe(name, rows, trained_on=name in settings.trained_on, role=role)
