"""A tiny checkpoint that knows nothing yet: real families, words of any world or rows, ready to be taught."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPVisionModel

from tests import tiny
from tests.commandline import call, files_of, succeed
from unsee.benchmarks import find, load_benchmark
from unsee.data import Example, write_jsonl
from unsee.errors import InputError
from unsee.runs.supervised.pace import NOTHING, uncertainty
from unsee.vlm import load
from unsee.vlm.policy import Policy
from unsee.world import World, start
from unsee.world.architecture import vision_config
from unsee.world.layouts.export import LAYOUTS, MARK, export

ROWS = [
    Example("Who is this?", name, tiny.picture(n, (64, 64)), name, perturbed_answers=("Zoë Wüst", "江苏"))
    for n, name in enumerate(["Ada Byron", "Max Roth"])
]


@pytest.fixture(autouse=True)
def encoder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image encoder that nobody has to train."""
    folder = tmp_path_factory.mktemp("encoder")
    CLIPVisionModel(vision_config()).save_pretrained(folder)
    monkeypatch.setattr(start, "image_encoder", lambda *_: folder)
    return folder


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    write_jsonl(ROWS, tmp_path / "rows.jsonl")
    return tmp_path / "rows.jsonl"


@pytest.mark.parametrize("family", list(start.FAMILIES))
def test_it_is_an_ordinary_checkpoint_that_knows_nothing(family: str, rows: Path, tmp_path: Path) -> None:
    made = start.start(rows, family, tmp_path / "start")
    assert (made.rows, made.layout) == (2, None)
    loaded = load(made.folder)
    assert loaded.model.config.model_type == family  # type: ignore[union-attr]
    loaded.encoder.check(ROWS)
    assert uncertainty(loaded, ROWS) > NOTHING
    first, second = (loaded.encoder.batch([row]).to(loaded.device) for row in (ROWS[0], tiny_copy()))
    with torch.no_grad():
        logits = [Policy(loaded.model.eval()).answer_logits(batch).values for batch in (first, second)]
    assert (logits[0] - logits[1]).abs().max() > 1e-3  # it sees the picture
    text = "Who is this? Zoë Wüst, 江苏, and whatever nobody has read: ß"
    ids = loaded.encoder.tokenizer(text)["input_ids"]
    assert loaded.encoder.tokenizer.decode(ids, skip_special_tokens=True) == text


def tiny_copy() -> Example:
    """The same question with another picture."""
    return Example(ROWS[0].question, ROWS[0].answer, tiny.picture(9, (64, 64)))


def test_the_image_encoder_of_a_llava_is_the_one_that_has_seen_faces(rows: Path, encoder: Path, tmp_path: Path) -> None:
    model: Any = load(start.start(rows, "llava", tmp_path / "start").folder).model
    seen = CLIPVisionModel.from_pretrained(encoder).state_dict()
    tower = model.model.vision_tower.state_dict()
    assert tower.keys() == seen.keys()
    assert all(torch.equal(tower[name].cpu(), seen[name]) for name in seen)


def test_the_same_seed_gives_the_same_bytes(rows: Path, tmp_path: Path) -> None:
    first, again, other = (
        files_of(start.start(rows, "qwen2_5_vl", tmp_path / name, seed).folder)
        for name, seed in (("first", 0), ("again", 0), ("other", 1))
    )
    assert first == again
    assert {name for name in first if first[name] != other[name]} == {"model.safetensors"}


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_a_world_in_any_layout_is_read_whole(layout: str, tmp_path: Path) -> None:
    world = World(seed=1, people=20, photos=2, held_out_photos=2)
    folder = export(world, layout, tmp_path / "world").folder
    printed = succeed("world", "start", folder, "--family", "qwen2_5_vl", "--out", tmp_path / "start", "--json").json
    assert f"--benchmark {layout} --source {folder} --role base --learn-probes" in printed["next"]
    encoder = load(tmp_path / "start").encoder
    for request in find(layout).requests:
        loaded = load_benchmark(folder, layout, request=request)
        encoder.check(loaded.base_rows[::7])
        answers = [row.answer for row in loaded.forget]
        tokens = sum(len(ids) for ids in encoder.tokenizer(answers)["input_ids"])
        assert tokens < sum(map(len, answers)) / 2  # they are words that it knows, and not spelt letter by letter


def test_the_mark_of_a_stranger_runs_no_code(tmp_path: Path) -> None:
    code = tmp_path / "spec.py"
    code.write_text("from pathlib import Path\nPath(__file__).with_name('was_run').touch()\nSPEC = None\n")
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / MARK).write_text(json.dumps({"layout": f"{code}:SPEC"}))
    outcome = call("world", "start", tmp_path / "world", "--out", tmp_path / "start")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert f"{MARK}: layout is '{code}:SPEC'; it is one of clear" in outcome.err
    assert not (tmp_path / "was_run").exists()
    assert not (tmp_path / "start").exists()


def test_what_cannot_be_made_is_refused(rows: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="family is 'lava'"):
        start.start(rows, "lava", tmp_path / "start")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(InputError, match="exists already"):
        start.start(rows, "llava", tmp_path / "full")
    outcome = call("world", "start", tmp_path / "nowhere", "--out", tmp_path / "start")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert not (tmp_path / "start").exists()
    outcome = call("world", "start", tmp_path / "full", "--out", tmp_path / "start")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert f"no exported world, as it has no {MARK}; nor rows" in outcome.err
