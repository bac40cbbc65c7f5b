"""Whom a model knows: the gate of a benchmark about what models know from elsewhere, asked before it is written."""

from __future__ import annotations

from collections.abc import Mapping

from unsee.benchmarks.source import Source
from unsee.benchmarks.spec import Gate
from unsee.evaluation.measure import check_numbers, check_probe, measure
from unsee.vlm.load import LoadedModel


def known_people(gate: Gate, source: Source, seed: int, loaded: LoadedModel, batch_size: int) -> Mapping[str, float]:
    """The IDs of those whom a model knows with its accuracy, the best known first.

    Args:
        gate: of the benchmark.
        source: where its people are.
        seed: of whatever is drawn.
        loaded: the model.
        batch_size: rows per forward pass.

    Raises:
        InputError: a row is not as published or cannot be asked, or the model's logits are no numbers.
    """
    records = {}
    for probe in gate.probes(source, seed):
        check_probe(loaded.encoder, probe, f"{source} ({probe.name})")
        said = measure(loaded, probe, batch_size)
        check_numbers(said, "the model")
        records[probe.name] = [record.row() for record in said]
    return gate.known(records)
