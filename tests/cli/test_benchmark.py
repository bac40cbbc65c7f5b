"""From a world to a benchmark to a run to its numbers, by commands alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Stranger
from tests.commandline import call, files_of, succeed
from unsee.data import load_examples
from unsee.system.files import read_json, write_jsonl


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "clear"
    succeed("world", "export", "--people", 10, "--out", folder, "--json")
    return folder


def test_export_tells_what_is_next(tmp_path: Path) -> None:
    outcome = succeed("world", "export", "--layout", "mllmu", "--people", 10, "--out", tmp_path / "w", "--json")
    assert outcome.json["rows"]["Full_Set"] == outcome.json["pictures"] == 10
    assert outcome.json["next"] == f"unsee benchmark write mllmu {tmp_path / 'w'} --out {tmp_path / 'w-data'}"
    succeed(*outcome.json["next"].split()[1:])
    assert (tmp_path / "w-data" / "data.yaml").is_file()
    before = files_of(tmp_path)
    refused = call("world", "export", "--out", tmp_path / "w")
    assert (refused.code, refused.out) == (2, "")
    assert "exists already" in refused.err
    assert files_of(tmp_path) == before


def test_written_benchmark_is_what_unlearn_takes(world: Path, tmp_path: Path, stranger: Stranger) -> None:
    data = tmp_path / "data"
    found = succeed("benchmark", "write", "clear", world, "--out", data, "--probe-rows", 2, "--json").json
    assert found["next"] == f"unsee unlearn {data / 'data.yaml'} --model MODEL --out runs/npo"
    settings = yaml.safe_load((data / "data.yaml").read_text())
    assert settings["request"] == "visual"
    assert settings["trained_on"] == found["trained_on"] == ["forget_caption_vqa", "retain_caption_vqa"]
    assert len(load_examples(data / settings["forget"])) == found["rows"]["forget"]
    pictures = list((data / "images").iterdir())
    assert len(pictures) == len({path.read_bytes() for path in pictures})

    words = found["next"].replace("MODEL", str(stranger / "llava")).replace("runs/npo", str(tmp_path / "run")).split()
    ran = succeed(*words[1:], "--set", "max_steps=1", "--set", "max_new_tokens=4", "--no-report", "--json").json
    assert ran["trained_on"] == ["forget_caption_vqa", "retain_caption_vqa"]

    scored = succeed("benchmark", "score", "clear", tmp_path / "run" / "records" / "npo", "--json").json
    assert set(scored["with ROUGE"]) == {"real", "retain", "forget"}
    assert {"forget_qa", "forget_name_vqa", "real_faces"} <= set(scored["tasks"])
    assert scored["tasks"]["forget_name_vqa"]["n"] == 2
    assert 0 < scored["tasks"]["forget_name_vqa"]["probability"] < 1
    assert 0 < scored["without ROUGE"]["forget"] < 1
    records = tmp_path / "run" / "records"
    against = succeed("benchmark", "score", "clear", records / "npo", "--gold", records / "base").out
    assert "forget_quality" in against


def test_fiubench_from_an_export_to_its_numbers(tmp_path: Path, stranger: Stranger) -> None:
    folder, data, run = (tmp_path / name for name in ("world", "data", "run"))
    exported = succeed("world", "export", "--layout", "fiubench", "--people", 10, "--out", folder, "--json").json
    assert (exported["rows"], exported["pictures"]) == ({"full": 10, "split": 1}, 10)
    assert succeed("benchmark", "check", "fiubench", folder, "--json").json["findings"] == []
    wrote = succeed("benchmark", "write", "fiubench", folder, "--out", data, "--probe-rows", 3, "--json").json
    assert wrote["trained_on"] == ["forget_vqa", "retain_vqa"]
    steps = ("--set", "max_steps=1", "--set", "max_new_tokens=4", "--no-report")
    succeed("unlearn", data / "data.yaml", "--model", stranger / "llava", "--out", run, *steps)
    records = run / "records"
    scored = succeed("benchmark", "score", "fiubench", records / "npo", "--gold", records / "base", "--json").json
    assert set(scored["tasks"]) == {"forget_vqa", "forget_otherwise_vqa", "retain_vqa", "retain_otherwise_vqa"}
    for numbers in scored["tasks"].values():
        assert numbers["n"] == 3
        assert 0 < numbers["probability"] < 1
        assert 0 <= numbers["truth_ratio"] <= 1
        assert 0 <= numbers["exact_match"] <= 1
    assert 0 < scored["forget_quality"] <= 1
    assert scored["log_forget_quality"] <= 0
    assert scored["model_utility"] is not None


def test_both_modalities_of_a_fact_are_scored_together(tmp_path: Path, stranger: Stranger) -> None:
    """UMU-Bench end to end: export, check, write, unlearn, score."""
    world, data, run = tmp_path / "world", tmp_path / "data", tmp_path / "run"
    succeed("world", "export", "--layout", "umu", "--people", 10, "--out", world)
    assert succeed("benchmark", "check", "umu", world, "--json").json["findings"] == []
    written = succeed("benchmark", "write", "umu", world, "--out", data, "--probe-rows", 2, "--json").json
    assert (written["rows"]["forget"], written["trained_on"]) == (70, [])
    assert yaml.safe_load((data / "data.yaml").read_text())["request"] == "both"
    words = written["next"].replace("MODEL", str(stranger / "llava")).replace("runs/npo", str(run)).split()
    succeed(*words[1:], "--set", "max_steps=1", "--set", "max_new_tokens=4", "--no-report")
    scored = succeed("benchmark", "score", "umu", run / "records" / "npo", "--json").json
    assert all(0 <= scored[name] <= 1 for name in ("AccF_cloze", "AccR_classification", "RLF", "RLR", "RLR_celebrity"))
    assert scored["wrong in both"]["forget_cloze"] == 1 - scored["AccF_cloze"]
    assert scored["tasks"]["forget_cloze_qa"]["n"] == 2
    assert "AccF_cloze" in succeed("benchmark", "score", "umu", run / "records" / "npo").out


def test_check_ends_with_one_when_there_are_errors(world: Path, tmp_path: Path) -> None:
    fine = succeed("benchmark", "check", "clear", world, "--json").json
    assert fine["rows"]["forget10"] > 0
    assert {one["level"] for one in fine["findings"]} == {"note"}
    outcome = call("benchmark", "check", "tofu", world, "--json")
    assert (outcome.code, outcome.err) == (1, "")
    wrong = {"level": "error", "where": "forget10_perturbed", "message": "no column 'paraphrased_answer'"}
    assert wrong in outcome.json["findings"]
    assert call("benchmark", "check", "tofu", world).code == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("check", "clera", "."), "did you mean 'clear'"),
        (("check", "clear", "nowhere"), "no such folder: nowhere"),
        (("write", "clear", "nowhere", "--out", "x"), "no such folder: nowhere"),
        (("score", "clear", "nowhere"), "holds no records"),
        (("score", "tofu", "nowhere"), "one of clear, fiubench, mllmu, pulse, umu"),
    ],
)
def test_mistakes_end_in_one_line(words: tuple[str, ...], expected: str) -> None:
    outcome = call("benchmark", *words)
    assert outcome.code == 2
    assert expected in outcome.err
    assert outcome.err.count("\n") == 1


def test_records_of_something_else_are_refused(tmp_path: Path) -> None:
    row = {"probe": "scenes", "index": 0, "id": None, "subject": None, "fact": None, "question": "?", "expected": "a"}
    write_jsonl(tmp_path / "scenes.jsonl", [{**row, "said": "a", "correct": True, "log_prob": -1.0, "tokens": 1}])
    outcome = call("benchmark", "score", "mllmu", tmp_path)
    assert outcome.code == 2
    assert "no records of mllmu; it holds scenes" in outcome.err


def test_world_remembers_who_made_it(world: Path) -> None:
    assert read_json(world / "world.json")["world"]["people"] == 10
