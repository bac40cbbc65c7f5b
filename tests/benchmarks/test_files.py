"""A benchmark on disk is the same benchmark, and the settings beside it say all about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.conftest import refused
from unsee.benchmarks import files, load_benchmark
from unsee.benchmarks.files import write_benchmark
from unsee.runs.sets import load_sets as load_run
from unsee.runs.settings import parse, read_yaml


@pytest.mark.parametrize("request_", ["visual", "both"])
def test_run_reads_the_benchmark_that_was_written(clear_folder: Path, tmp_path: Path, request_: str) -> None:
    ours = load_benchmark(clear_folder, "clear", "forget05", request_)
    path = write_benchmark(ours, tmp_path / "data")
    settings = parse({**read_yaml(path), "model": "m", "out": str(tmp_path / "run")})
    theirs = load_run(settings)
    assert settings.request == request_
    assert [(probe.name, probe.trained_on) for probe in theirs.probes] == [
        (probe.name, probe.trained_on) for probe in ours.probes
    ]
    for mine, read in [(ours.forget, theirs.forget), (ours.retain, theirs.retain), (ours.preserve, theirs.preserve)]:
        assert [(row.question, row.answer, row.subject) for row in mine] == [
            (row.question, row.answer, row.subject) for row in read
        ]
        assert [row.image for row in mine] == [
            row.image.read_bytes() if isinstance(row.image, Path) else row.image for row in read
        ]
    for our, their in zip(ours.probes, theirs.probes, strict=True):
        assert [row.choices for row in our.examples] == [row.choices for row in their.examples]
        assert [row.perturbed_answers for row in our.examples] == [row.perturbed_answers for row in their.examples]


def test_folder_appears_only_when_it_is_whole(
    clear_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_benchmark(clear_folder, "clear", probe_rows=1)

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_text", broken)
        with pytest.raises(KeyboardInterrupt):
            write_benchmark(loaded, tmp_path / "data")
    assert not (tmp_path / "data").exists()
    write_benchmark(loaded, tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert "exists already" in refused(write_benchmark, loaded, tmp_path / "data")


def test_probe_that_is_not_there_cannot_be_trained_on(tmp_path: Path) -> None:
    values = {"model": "m", "forget": "f.jsonl", "out": "o", "probes": {"forget_vqa": "p.jsonl"}}
    message = refused(parse, {**values, "trained_on": ["forget_vqq"]})
    assert message == "trained_on: no probe 'forget_vqq' (did you mean 'forget_vqa'?)"
