"""A mining that is killed, in whatever stage, and started again ends with the files of one that never was."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.commandline import files_of
from tests.system.test_atomic import of_a_dead_writer
from tests.two_processes import environment_of_two
from unsee.mining import captioning, mining, stages
from unsee.mining.captions import Decoding, generate
from unsee.mining.mining import mine
from unsee.mining.options import Mining
from unsee.mining.windows import Grid
from unsee.system.lock import NAME
from unsee.vlm.generate import Said

GREEDY, SAMPLED = Decoding(12), Decoding(12, temperature=1.3, seed=4)
SHARD, BATCH = 4, 2

Whole = dict[Decoding, dict[str, bytes]]


class KilledError(Exception):
    """Stands for a signal: nothing of ours catches it."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven pictures, two of which cannot be read, and a word list that fits what a random model says."""
    folder = tmp_path_factory.mktemp("killed") / "photos"
    folder.mkdir()
    for number in range(11):
        (folder / f"{number:02d}.png").write_bytes(tiny.picture(number, (36 + 4 * number, 40)))
    (folder / "03.png").write_bytes(tiny.picture(3)[:200])
    (folder / "06.png").write_bytes(b"no picture")
    (folder.parent / "letters.txt").write_text("".join(f"{letter}\n" for letter in "abcdefghijklmnopqrstuvwxyz"))
    return folder


def settings(checkpoints: Path, photos: Path, out: Path, decoding: Decoding) -> Mining:
    """The model's own captions, scored twice."""
    return Mining(
        photos, out, str(checkpoints / "clip"), str(checkpoints / "llava"), decoding=decoding,
        lexicons=(str(photos.parent / "letters.txt"),), second_scorer=str(checkpoints / "clip"),
        grid=Grid(patch=16), batch_size=BATCH, shard_size=SHARD,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(checkpoints: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The files of runs that nothing stopped, as deep as those of the tests, by the way captions are decoded."""
    runs = {}
    for decoding in (GREEDY, SAMPLED):
        out = tmp_path_factory.mktemp("whole") / "run"
        found = mine(settings(checkpoints, photos, out, decoding))
        assert found["skipped"] == 2
        assert found["phrases"] > 0
        runs[decoding] = files_of(out)
    return runs


decoded = pytest.mark.parametrize("decoding", [GREEDY, SAMPLED], ids=["greedy", "sampled"])


@decoded
@pytest.mark.parametrize("batch", range(6))
def test_killed_while_the_model_captions(
    checkpoints: Path,
    photos: Path,
    whole: Whole,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    decoding: Decoding,
    batch: int,
) -> None:
    expected = whole[decoding]
    how, done = settings(checkpoints, photos, tmp_path / "run", decoding), 0

    def until(*arguments: Any) -> list[Said]:
        nonlocal done
        if done == batch:
            raise KilledError
        done += 1
        return generate(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(captioning, "generate", until)
        with pytest.raises(KilledError):
            mine(how)
    before = files_of(tmp_path / "run")
    assert set(before) == {"captions/stage.json", *(f"captions/{n:05d}.jsonl" for n in range(batch * BATCH // SHARD))}
    mine(how)
    assert files_of(tmp_path / "run") == expected
    assert before.items() <= expected.items()


@pytest.mark.parametrize("file", ["relevance2/00001.jsonl", "skipped.jsonl", "spans.jsonl", "summary.json"])
def test_killed_at_the_end(
    checkpoints: Path,
    photos: Path,
    whole: Whole,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
) -> None:
    how = settings(checkpoints, photos, tmp_path / "run", GREEDY)

    def unless_last(write: Any) -> Any:
        def killed(path: Path, *arguments: Any) -> None:
            if path == tmp_path / "run" / file:
                raise KilledError
            write(path, *arguments)

        return killed

    with monkeypatch.context() as patched:
        for module in (stages, mining):
            for name in ("write_jsonl", "write_spans", "write_json"):
                if hasattr(module, name):
                    patched.setattr(module, name, unless_last(getattr(module, name)))
        with pytest.raises(KilledError):
            mine(how)
    assert file not in files_of(tmp_path / "run")
    mine(how)
    assert files_of(tmp_path / "run") == whole[GREEDY]


def test_what_was_half_written_is_taken_away(checkpoints: Path, photos: Path, whole: Whole, tmp_path: Path) -> None:
    how = settings(checkpoints, photos, tmp_path / "run", GREEDY)
    for name in ("captions/00001.jsonl", "relevance/stage.json", "spans.jsonl"):
        left = of_a_dead_writer(how.out / name)
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_text('{"ima')
    mine(how)
    assert files_of(how.out) == whole[GREEDY]


# `unsee` that, after so many batches of captions, waits for its end.
PROGRAM = """
import sys, time
from unsee.cli import main as cli
from unsee.mining import captioning

generate, left = captioning.generate, [int(sys.argv[1])]

def waiting(*arguments):
    if not left[0]:
        time.sleep(600)
    left[0] -= 1
    return generate(*arguments)

captioning.generate = waiting
sys.exit(cli.main(sys.argv[2:]))
"""


def command(how: Mining, batches: int) -> list[str]:
    """What mines in a process of its own."""
    words = (
        *(sys.executable, "-c", PROGRAM, batches, "mine", "--images", how.images, "--out", how.out),
        *("--scorer", how.scorer, "--second-scorer", how.second_scorer, "--model", how.model),
        *("--lexicon", how.lexicons[0], "--max-new-tokens", how.decoding.max_new_tokens),
        *("--temperature", how.decoding.temperature, "--seed", how.decoding.seed, "--patch", how.grid.patch),
        *("--batch-size", how.batch_size, "--shard-size", how.shard_size),
    )
    return list(map(str, words))


def killed_behind(how: Mining, shards: int, batches: int) -> int:
    """The exit code of a process that mines, and is killed as soon as there are so many shards in all."""
    process = subprocess.Popen(command(how, batches), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None and len(list(how.out.glob("*/0*.jsonl"))) < shards:
        time.sleep(0.002)
    process.kill()
    _, said = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), said.decode()
    return process.returncode


def test_a_process_killed_amid_its_captions(checkpoints: Path, photos: Path, whole: Whole, tmp_path: Path) -> None:
    how = settings(checkpoints, photos, tmp_path / "run", SAMPLED)
    assert killed_behind(how, shards=1, batches=3) == -signal.SIGKILL
    assert set(files_of(how.out)) == {"captions/stage.json", "captions/00000.jsonl", NAME}  # whose owner is dead
    mine(how)
    assert files_of(how.out) == whole[SAMPLED]


@pytest.mark.slow
def test_a_process_killed_again_and_again(checkpoints: Path, photos: Path, whole: Whole, tmp_path: Path) -> None:
    how = settings(checkpoints, photos, tmp_path / "run", SAMPLED)
    codes = [killed_behind(how, shards, batches=100) for shards in range(1, 13, 3)]  # amid each stage
    assert codes.count(-signal.SIGKILL) >= 3
    mine(how)
    assert files_of(how.out) == whole[SAMPLED]


@pytest.mark.slow
@pytest.mark.parametrize("rank", range(2))
def test_one_of_two_processes_killed_ends_the_other_and_a_third_goes_on(
    checkpoints: Path, photos: Path, whole: Whole, tmp_path: Path, rank: int
) -> None:
    how, given = settings(checkpoints, photos, tmp_path / "run", SAMPLED), environment_of_two()
    started = [  # the one that is to be killed waits amid a shard of captions, and the other one comes to its end
        subprocess.Popen(
            command(how, batches=1 if own == rank else 100), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**given, "RANK": str(own), "LOCAL_RANK": str(own)},
        )
        for own in range(2)
    ]  # fmt: skip
    try:
        of_the_other = how.out / "captions" / f"{1 - rank:05d}.jsonl"
        while not of_the_other.is_file():
            assert [process.poll() for process in started] == [None, None]
            time.sleep(0.01)
        started[rank].kill()
        assert started[1 - rank].wait(120) not in (0, None)
    finally:
        for process in started:
            process.kill()
            process.wait()
    mine(how)
    assert files_of(how.out) == whole[SAMPLED]
