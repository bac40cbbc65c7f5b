"""What is learned, and what is asked afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from unsee.benchmarks import load_benchmark
from unsee.benchmarks.sets import spread
from unsee.data import Example, Probe, load_examples
from unsee.data.pictures import image_hash
from unsee.data.sets import repeats
from unsee.errors import InputError, did_you_mean
from unsee.runs.supervised.settings import Role, TrainSettings, Until

TRAINING_ROWS = "training_rows"  # the probe of those who have none


@dataclass(frozen=True)
class Lessons:
    """What a training is about.

    Attributes:
        rows: to be learned.
        name: what messages call them.
        probes: to be measured at the end; those that ask training rows are marked.
        watched: the names of those among them that `until` looks at.
    """

    rows: Sequence[Example]
    name: str
    probes: Sequence[Probe]
    watched: tuple[str, ...]


def lessons(
    settings: TrainSettings,
    rows: Sequence[Example] | None = None,
    probes: Sequence[Probe] | None = None,
    check_images: bool = True,
) -> Lessons:
    """Read what a training is about.

    Args:
        settings: of the training.
        rows: to be learned, where they are in memory; else they are those that the settings name.
        probes: likewise, beside those that the settings name.
        check_images: decode every picture once.

    Raises:
        InputError: nothing to learn is given, or what is given cannot be read.
    """
    loaded = {
        name: load_examples(path, check_images=check_images) for name, path in settings.probes.items()
    }  # first: the smallest
    own = [*(probes or ()), *(Probe(name, examples) for name, examples in loaded.items())]
    taught, others, name = _taught(settings, rows, check_images)
    if not taught:
        raise InputError(f"{name} holds no rows to learn")
    asked = _named_once([*own, *(replace(probe, trained_on=False) for probe in others)])
    marked = [replace(probe, trained_on=repeats(probe.examples, [taught])) for probe in asked]
    watched = _watched(settings.until or Until(), own, marked, taught)
    if not marked or TRAINING_ROWS in watched:
        some = spread(taught, (settings.until or Until()).rows)
        marked = [*marked, Probe(TRAINING_ROWS, some, trained_on=True)]
    return Lessons(taught, name, marked, watched)


def _taught(
    settings: TrainSettings, rows: Sequence[Example] | None, check_images: bool
) -> tuple[Sequence[Example], Sequence[Probe], str]:
    """What is learned, what a benchmark asks about it, and what messages call it."""
    if rows is not None:
        return rows, (), "rows"
    if settings.data:
        return load_examples(settings.data, check_images=check_images), (), settings.data
    if not settings.benchmark:
        raise InputError("nothing to learn is given; add --data FILE, or --benchmark NAME --source FOLDER --role base")
    assert settings.source is not None  # seen by `TrainSettings.resolved`
    benchmark = load_benchmark(
        settings.source, settings.benchmark, settings.split, settings.request, training=settings.training
    )
    learned = benchmark.base_rows if settings.role == "base" else benchmark.gold_rows
    if settings.learn_probes:
        learned = [*learned, *asked_besides(learned, benchmark.probes, settings.role)]
    if settings.role == "gold" and repeats(learned, [benchmark.forget]):
        raise InputError(
            f"{settings.source}: gold would learn what is to be forgotten, as rows of the rest ask the same about the "
            "same picture; take them out of one of the two, or fetch the copy anew"
        )
    asked = [probe for probe in benchmark.probes if probe.role == "forget" or ought_to_be_known(probe, learned)]
    return learned, asked, f"{benchmark.name}, {settings.role}"


def asked_besides(learned: Iterable[Example], probes: Sequence[Probe], role: Role | None) -> Iterator[Example]:
    """What probes ask and no row asks yet; for gold without those of what is to go.

    Args:
        learned: the rows that base or gold learns anyway.
        probes: of the benchmark, with their roles.
        role: whose rows they are.
    """
    seen = {_asked(row) for row in learned}
    for row in (row for probe in probes if role == "base" or probe.role == "keep" for row in probe.examples):
        if _asked(row) not in seen:
            seen.add(_asked(row))
            yield row


def _asked(row: Example) -> tuple[str | None, str]:
    """What a model is given: the picture, and the question."""
    return image_hash(row.image), row.question


def ought_to_be_known(probe: Probe, learned: Iterable[Example]) -> bool:
    """Whether somebody who has learned some rows ought to know what a probe asks.

    At least half of it has to be about subjects of these rows, and shown where they are shown, in words where they are
    told of in words: who has learned what somebody has done need not know the face. Or it asks training rows.
    """
    learned = list(learned)
    if _is_taught(probe, learned):
        return True
    about = {(row.subject, row.image is not None) for row in learned if row.subject}
    return 2 * sum((row.subject, row.image is not None) in about for row in probe.examples) >= len(probe)


def _named_once(probes: Sequence[Probe]) -> list[Probe]:
    taken: set[str] = set()
    for probe in probes:
        if probe.name in taken or probe.name == TRAINING_ROWS:
            raise InputError(f"probes: {probe.name} is the name of another probe; give each one of its own")
        taken.add(probe.name)
    return list(probes)


def _watched(until: Until, own: Sequence[Probe], probes: Sequence[Probe], taught: Sequence[Example]) -> tuple[str, ...]:
    """Which probes `until` looks at: those named, or given; of a benchmark those that ask what is taught."""
    names = [probe.name for probe in probes]
    for name in until.probes:
        if name not in (*names, TRAINING_ROWS):
            raise InputError(f"until.probes: no probe {name!r}{did_you_mean(name, names)}")
    chosen = until.probes or tuple(probe.name for probe in own)
    return chosen or tuple(probe.name for probe in probes if _is_taught(probe, taught)) or (TRAINING_ROWS,)


def _is_taught(probe: Probe, taught: Sequence[Example]) -> bool:
    """Whether at least half of a probe asks what a training row asks: the same question about the same picture."""
    seen = {_asked(row) for row in taught}
    return 2 * sum(_asked(row) in seen for row in probe.examples) >= len(probe)
