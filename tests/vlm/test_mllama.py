"""Llama-3.2-Vision, whose tokens say which tiles of an image they see: the promises of the other families, for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.architectures import mllama
from tests.families import weights_of
from unsee.data import Example, Probe
from unsee.evaluation.measure import measure
from unsee.methods import build
from unsee.training.config import UnlearnConfig
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm import IGNORED, LoadedModel, LoraOptions, Policy, answers, load, part_of_parameters
from unsee.vlm.save import save
from unsee.vlm.scoring import Scorer

EXAMPLES = tiny.examples(5)  # every third in words alone


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(mllama(), tmp_path_factory.mktemp("mllama"))


@torch.no_grad()
def said(loaded: LoadedModel, examples: list[Example]) -> Tensor:
    loaded.model.eval()
    return Policy(loaded.model).answer_log_probs(loaded.encoder.batch(examples))


def test_a_row_does_not_depend_on_its_neighbours(folder: Path) -> None:
    """Rows in words alone among rows with an image, and images of unequal numbers of tiles."""
    loaded = load(folder, parts=(), device="cpu")
    wide = [replace(EXAMPLES[1], image=tiny.picture(9, (120, 30))), *EXAMPLES]
    alone = torch.cat([said(loaded, [example]) for example in wide])
    torch.testing.assert_close(said(loaded, wide), alone, rtol=1e-5, atol=1e-5)


def test_an_encoded_row_is_what_the_processor_makes_of_it(folder: Path) -> None:
    loaded = load(folder, parts=(), device="cpu")
    example = EXAMPLES[1]
    whole = loaded.processor(
        text=loaded.encoder.texts(example)[1],
        images=[[example.picture()]],
        add_special_tokens=False,
        return_tensors="pt",
    )
    batch = loaded.encoder.batch([example])
    assert batch.inputs.keys() == whole.keys()
    assert all(torch.equal(batch.inputs[name], value) for name, value in whole.items())
    labels = batch.labels[batch.labels != IGNORED]
    assert loaded.encoder.tokenizer.decode(labels) == f"{example.answer}<|eot_id|>"


def test_the_picture_counts(folder: Path) -> None:
    loaded = load(folder, parts=(), device="cpu")
    other = replace(EXAMPLES[1], image=tiny.picture(99))
    assert (said(loaded, [EXAMPLES[1]]) - said(loaded, [other])).abs() > 1e-4


def test_answers_and_scores_are_those_of_each_row_alone(folder: Path) -> None:
    loaded = load(folder, parts=(), device="cpu")
    loaded.model.eval()
    together = answers(loaded.model, loaded.encoder, EXAMPLES, 8)
    assert together == [answers(loaded.model, loaded.encoder, [example], 8)[0] for example in EXAMPLES]
    scorer = Scorer(loaded.model, loaded.encoder)
    words = [example for example in EXAMPLES if example.image is None]
    scorer(words, [["Riga", "Oslo"]] * len(words))  # what is found out on words alone must not be taken for images
    found = scorer(EXAMPLES, [[example.answer, "Oslo or so"] for example in EXAMPLES])
    expected = said(loaded, EXAMPLES).tolist()
    assert [row[0].log_prob for row in found] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("lora", [None, LoraOptions(rank=2)])
@pytest.mark.parametrize("method", ["npo", "kl", "mmunlearner"])
def test_one_step_moves_every_part_and_what_is_saved_says_the_same(
    method: str, lora: LoraOptions | None, folder: Path, tmp_path: Path
) -> None:
    loaded = load(folder, lora=lora, device="cpu")
    start, part_of = weights_of(loaded.model), part_of_parameters(loaded.model)
    settings: dict[str, Any] = {
        "max_steps": 2, "per_device_train_batch_size": 3, "learning_rate": 0.01, "save_strategy": "no",
        "use_cpu": True, "report_to": "none", "disable_tqdm": True,
    }  # fmt: skip
    config = UnlearnConfig(output_dir=str(tmp_path / "run"), **settings)
    retain = tiny.examples(3, seed=1)
    UnlearnTrainer(loaded, config, method=build(method), forget=EXAMPLES[:3], retain=retain).train()
    now = dict(loaded.model.named_parameters())
    moved = {name for name, weight in now.items() if not torch.equal(weight, start[name])}
    assert {part_of[name] for name in moved} == {"vision", "projector", "language"}
    assert all(bool(torch.isfinite(weight).all()) for weight in now.values())
    save(loaded, tmp_path / "model")
    assert torch.equal(said(load(tmp_path / "model", device="cpu"), EXAMPLES), said(loaded, EXAMPLES))


def test_it_is_measured(folder: Path) -> None:
    records = measure(load(folder, parts=(), device="cpu"), Probe("all", EXAMPLES), batch_size=2, max_new_tokens=4)
    assert len(records) == len(EXAMPLES)
    assert all(record.log_prob < 0 for record in records)
