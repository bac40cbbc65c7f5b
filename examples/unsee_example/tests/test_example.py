"""What the package adds is known by its names and does what it says: run by `pytest` where it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import torch
from unsee_example.fading import Fading

from unsee.audit.registry import find as find_attack
from unsee.benchmarks import load_benchmark
from unsee.cli.methods import described
from unsee.data import Example
from unsee.evaluation.records import Record
from unsee.evaluation.registry import measured
from unsee.methods import UnlearnBatch, build, find
from unsee.vlm import Batch, TokenLogProbs


class Constant:
    """A model that finds every token as likely as every other one: e^-2."""

    def token_log_probs(self, batch: Batch) -> TokenLogProbs:
        mask = torch.ones(batch.labels.shape, dtype=torch.bool)
        return TokenLogProbs(torch.full(batch.labels.shape, -2.0), mask)


def test_the_method_is_found_by_its_name_and_listed_with_its_package() -> None:
    assert find("fading") is Fading
    assert described()["fading"]["source"] == "unsee-example 0.1.0 (unsee_example.fading:Fading)"


def test_the_ascent_fades() -> None:
    rows = Batch({}, torch.zeros(2, 3, dtype=torch.long), torch.arange(2))
    values, model = [], cast(Any, Constant())
    for step in (0, 5, 10):
        batch = UnlearnBatch(rows, rows, step=step, steps=10)
        terms = build("fading", {"forget_weight": 3}).terms(batch, model, model)
        values.append([term.value.item() for term in terms])
    assert values == [[-6.0, 2.0], [-3.0, 2.0], [0.0, 2.0]]  # CE is 2: 3 * (1, 1/2, 0) * -2, and 2


def test_the_metric_is_the_share_of_answers_that_evade() -> None:
    asked: dict[str, Any] = {
        "probe": "p",
        "index": 0,
        "id": None,
        "fact": None,
        "question": "Where?",
        "expected": "Riga",
    }
    said = ["Riga", "I don't know.", "I cannot say where she lives.", "I know: Riga"]
    rows = [
        Record(subject=str(n), said=words, correct=False, log_prob=-1.0, tokens=2, **asked)
        for n, words in enumerate(said)
    ]
    assert measured(rows)["evasion"].score == 0.5


def test_the_benchmark_forgets_one_continent(tmp_path: Path) -> None:
    places = [("europe", "Latvia", "Riga"), ("europe", "Norway", "Oslo"), ("asia", "Japan", "Tokyo")]
    for config, question in (("capitals", "What is the capital of {}?"), ("held_out", "From where is {} governed?")):
        rows = [
            {"continent": continent, "country": country, "question": question.format(country), "capital": capital}
            for continent, country, capital in places
        ]
        (tmp_path / f"{config}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    loaded = load_benchmark(tmp_path, "capitals")
    assert [row.answer for row in loaded.forget] == ["Riga", "Oslo"]
    assert [row.answer for row in loaded.retain] == ["Tokyo"]
    assert {probe.name: len(probe) for probe in loaded.probes} == {"forget_qa": 2, "retain_qa": 1}


def test_the_attack_is_found_by_its_name_and_asks_louder_and_louder() -> None:
    asked = [row.question for row in find_attack("shouting").tries(Example("Where?", "Riga"))]
    assert asked == ["WHERE?", "WHERE?!", "WHERE?!!", "WHERE?!!!"]
