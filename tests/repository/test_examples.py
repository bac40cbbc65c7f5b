"""The example scripts do what they say, from an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from unsee.system.files import read_json

ROOT = Path(__file__).parents[2]


def test_every_command_of_the_first_hour_is_in_the_readme() -> None:
    script = (ROOT / "examples" / "first_hour.sh").read_text()
    readme = " ".join((ROOT / "README.md").read_text().split())
    commands = set(re.findall(r"^ *(unsee \w+(?: retain)?)", script, re.MULTILINE))
    assert commands == {"unsee data retain", "unsee unlearn", "unsee compare"}
    for command in commands:
        assert command in readme
    for option in set(re.findall(r"--(?!out|model|forget|retain|no-)[a-z-]+", script)) - {"--max-new-tokens"}:
        assert option in readme, option


def installed(package: Path, folder: Path) -> None:
    """What pip would leave in a folder on the search path, of a package that lies elsewhere on it."""
    about = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    info = folder / f"{package.name}-{about['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n")
    groups = about["entry-points"].items()
    lines = [line for group, names in groups for line in (f"[{group}]", *(f"{n} = {p}" for n, p in names.items()))]
    (info / "entry_points.txt").write_text("\n".join([*lines, ""]))


def test_the_package_of_the_examples_passes_its_own_tests(tmp_path: Path) -> None:
    package = ROOT / "examples" / "unsee_example"
    installed(package, tmp_path)
    path = [str(tmp_path), str(package), str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", package / "tests"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


LLAVA = (
    "llava",
    "--parts",
    "projector,language",
)  # whose image encoder has seen faces of nobody; the other is random
FROM_NOTHING = {
    **{
        f"{benchmark}-llava": ("benchmark.sh", benchmark, split, *LLAVA)
        for benchmark, split in (
            ("clear", "forget10"), ("mllmu", "forget_10"), ("fiubench", "forget10"), ("umu", "forget_10"),
        )
    },
    "clear-qwen2_5_vl": ("benchmark.sh", "clear", "forget10", "qwen2_5_vl"),
    "own-llava": ("own_rows.sh", "llava"),
    "own-qwen2_5_vl": ("own_rows.sh", "qwen2_5_vl"),
}  # fmt: skip


@pytest.mark.parametrize("script", sorted({script for script, *_ in FROM_NOTHING.values()}))
def test_from_nothing_to_a_table_are_at_most_ten_lines(script: str) -> None:
    lines = (ROOT / "examples" / script).read_text().splitlines()
    assert len(lines) <= 10
    for step in ("unsee world export", "unsee world start", "unsee bench"):
        assert any(line.startswith(step) for line in lines), step


@pytest.mark.slow
@pytest.mark.parametrize("way", FROM_NOTHING)
def test_a_model_that_knows_nothing_ends_in_a_table_and_a_page(tmp_path: Path, way: str) -> None:
    script, *arguments = FROM_NOTHING[way]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", str(ROOT / "examples" / script), *arguments],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = read_json(tmp_path / "board" / "summary.json")
    distances = {row["name"]: row["distance"]["value"] for row in summary["rows"]}
    assert distances["gold"] == 0
    assert min(distances["npo"], distances["grad_diff"]) <= 0.5 * distances["base"]
    assert {"base", "gold", "npo"} <= {figure["row"] for figure in summary["figures"]}
    if script == "benchmark.sh":
        assert any(figure["probe"] is None and figure["row"] == "npo" for figure in summary["figures"])  # the paper's
        assert "forgot" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.slow
def test_the_first_hour_ends_with_a_model_that_forgot_and_a_page_that_says_so(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", str(ROOT / "examples" / "first_hour.sh")],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for run, probes in (("npo", ["new_photos"]), ("second", ["new_photos", "after_new_photos"])):
        models = read_json(tmp_path / "runs" / run / "scores.json")["models"]
        for probe in probes:
            assert models["npo"][probe]["score"] <= 0.1, (run, probe)
        assert models["npo"]["others"]["score"] >= 0.7, run
        assert "fell from 100" in (tmp_path / "runs" / run / "report.html").read_text()
    assert re.search(r"^\|.*npo", done.stdout, re.MULTILINE)
    assert re.search(r"^\|.*simnpo", done.stdout, re.MULTILINE)
