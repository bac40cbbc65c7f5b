"""A benchmark in a file outside the package is listed, checked, written and scored by the commands."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from tests.commandline import call, succeed
from unsee.benchmarks.schemas import arrow_schema
from unsee.system.files import write_jsonl

KIND = f"{Path(__file__).parents[2] / 'examples' / 'birds.py'}:SPEC"
COLUMNS = {"image": "image", "species": "string"}


def bird(species: str, shade: int) -> dict[str, Any]:
    picture = BytesIO()
    Image.new("RGB", (8, 8), (shade, 90, 40)).save(picture, "PNG")
    return {"image": {"bytes": picture.getvalue(), "path": f"{species}.png"}, "species": species}


def write(folder: Path, held_out: tuple[str, ...] = ("robin", "wren")) -> Path:
    sets = {"photos": ("robin", "robin", "wren", "wren", "wren"), "held_out": held_out}
    folder.mkdir()
    for config, species in sets.items():
        rows = [bird(name, shade) for shade, name in enumerate(species)]
        pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(COLUMNS)), folder / f"{config}.parquet")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "birds")


def test_it_is_listed_with_where_it_is_from() -> None:
    listed = succeed("benchmark", "list", KIND, "--json").json
    assert listed["birds"]["splits"] == ["robin", "wren"]
    assert (listed["birds"]["scored"], listed["birds"]["from"]) == (True, KIND)
    shown = succeed("benchmark", "list", KIND).out
    assert f"Garden birds (made up, as an example), from {KIND}" in shown
    assert "--split robin (the default), wren" in shown


def test_every_built_in_benchmark_is_listed() -> None:
    listed = succeed("benchmark", "list", "--json").json
    assert {"clear": True, "mllmu": True, "tofu": False, "umu": True}.items() <= {
        name: about["scored"] for name, about in listed.items()
    }.items()
    assert listed["clear"]["from"] is None


def test_it_is_checked_by_its_columns_and_by_its_own_findings(folder: Path, tmp_path: Path) -> None:
    checked = succeed("benchmark", "check", KIND, folder, "--json").json
    assert checked == {
        "benchmark": "birds",
        "folder": str(folder),
        "rows": {"photos": 5, "held_out": 2},
        "findings": [],
    }
    other = write(tmp_path / "other", held_out=("robin", "owl"))
    table = pq.read_table(other / "photos.parquet")
    pq.write_table(table.append_column("size", pa.array(range(5))), other / "photos.parquet")
    outcome = call("benchmark", "check", KIND, other, "--json")
    assert outcome.code == 1
    assert [(one["where"], one["message"]) for one in outcome.json["findings"]] == [
        ("held_out", "species without training photographs: owl"),
        ("photos", "a further column 'size'"),
    ]


def test_it_is_written_as_unlearn_takes_it(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    written = succeed("benchmark", "write", KIND, folder, "--split", "wren", "--out", data, "--json").json
    assert written["rows"] == {"forget": 3, "retain": 2, "preserve": 0, "forget_vqa": 1, "retain_vqa": 1}
    settings = yaml.safe_load((data / "data.yaml").read_text())
    assert settings["forget_probes"] == {"forget_vqa": "probe_forget_vqa.jsonl"}
    assert settings["max_new_tokens"] == 8  # as its spec says

    outcome = call("benchmark", "write", KIND, folder, "--split", "wrem", "--out", tmp_path / "more")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "did you mean 'wren'?" in outcome.err
    assert not (tmp_path / "more").exists()


def test_its_records_are_scored(tmp_path: Path) -> None:
    asked = {"index": 0, "id": None, "subject": None, "fact": None, "question": "?", "expected": "wren"}
    numbers = {"correct": False, "log_prob": -1.0, "tokens": 1}
    for probe, said in (("forget_vqa", "A bird."), ("retain_vqa", "A wren.")):
        write_jsonl(tmp_path / f"{probe}.jsonl", [{"probe": probe, **asked, "said": said, **numbers}])
    scores = succeed("benchmark", "score", KIND, tmp_path, "--json").json
    assert scores == {
        "benchmark": "birds",
        "forgotten": 1.0,
        "tasks": {"forget_vqa": {"named": 0.0, "n": 1}, "retain_vqa": {"named": 1.0, "n": 1}},
    }
    assert "forgotten 1\n" in succeed("benchmark", "score", KIND, tmp_path).out


def test_mistakes_end_in_one_line(folder: Path) -> None:
    for kind, expected in (
        ("nowhere.py:SPEC", "nowhere.py is no file"),
        (KIND.removesuffix(":SPEC"), "give FILE.py:NAME"),
        (f"{KIND}S", "has no 'SPECS'"),
        (KIND.replace(":SPEC", ":load"), "is function, not a BenchmarkSpec"),
    ):
        outcome = call("benchmark", "check", kind, folder)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert expected in outcome.err
