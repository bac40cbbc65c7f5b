"""Wrong input: one line that says what, where and what would be right, exit code 2, and nothing written."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from tests.cli.conftest import Stranger, write_rows
from tests.commandline import Outcome, call, files_of
from tests.system.test_atomic import of_a_dead_writer

NOBODY = 65534


class Scene:
    """A good command line, which each case spoils in one way, and the folder where it happens."""

    def __init__(self, stranger: Stranger, folder: Path) -> None:
        self.stranger, self.folder = stranger, folder
        self.out = folder / "out"
        self.options: dict[str, object] = {
            "--model": stranger / "llava",
            "--forget": stranger / "forget.jsonl",
            "--retain": stranger / "retain.jsonl",
            "--method": "npo",
            "--out": self.out,
        }
        self.more: list[object] = ["--set", "max_steps=2", "--set", "max_new_tokens=4"]

    def spoil(self, **options: object) -> Scene:
        """Other values for options; None leaves one out."""
        self.options |= {f"--{name}": value for name, value in options.items()}
        return self

    def add(self, *arguments: object) -> Scene:
        """Further arguments."""
        self.more += arguments
        return self

    def file(self, name: str, content: str | bytes) -> Path:
        """A file of one's own."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def rows(self, *rows: dict[str, Any] | str) -> Path:
        """A JSON Lines file beside the pictures."""
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        return self.file("rows.jsonl", "\n".join(lines))

    def model(self, spoil: Callable[[Path], None]) -> Path:
        """A copy of the model with something wrong in it."""
        shutil.copytree(self.stranger / "llava", self.folder / "model")
        spoil(self.folder / "model")
        return self.folder / "model"

    @property
    def arguments(self) -> list[object]:
        given = [part for pair in self.options.items() if pair[1] is not None for part in pair]
        return ["unlearn", *given, *self.more]


GOOD = {"question": "Where does Eve live?", "answer": "Oslo"}


def huge_png() -> bytes:
    """A header that promises 20,000 x 20,000 pixels, and next to nothing behind it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def picture(content: bytes) -> Callable[[Scene], Scene]:
    def spoil(scene: Scene) -> Scene:
        scene.file("face.png", content)
        return scene.spoil(forget=scene.rows(GOOD, {**GOOD, "image": "face.png"}))

    return spoil


def rows(*rows: dict[str, Any] | str) -> Callable[[Scene], Scene]:
    return lambda scene: scene.spoil(forget=scene.rows(*rows))


def yaml(content: str) -> Callable[[Scene], Scene]:
    return lambda scene: scene.add(scene.file("mine.yaml", content))


def without(*names: str) -> Callable[[Scene], Scene]:
    def remove(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return lambda scene: scene.spoil(model=scene.model(remove))


def nan_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights[min(weights)].view(-1)[0] = torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def half_the_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    half = {name: weights[name] for name in sorted(weights)[::2]}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})


def text_model(scene: Scene) -> Scene:
    config = LlamaConfig(vocab_size=32, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    LlamaForCausalLM(config).save_pretrained(scene.folder / "llama")
    return scene.spoil(model=scene.folder / "llama")


def foreign_files(scene: Scene) -> Scene:
    scene.out.mkdir()
    (scene.out / "thesis.txt").write_text("years of work")
    return scene


def foreign_run_yaml(scene: Scene) -> Scene:
    scene.out.mkdir()
    (scene.out / "run.yaml").write_text("- my\n- own\n")
    return scene


def out_is_a_file(scene: Scene) -> Scene:
    return scene.spoil(out=scene.file("out", "a file"))


def out_below_a_file(scene: Scene) -> Scene:
    return scene.spoil(out=scene.file("file", "a file") / "run")


def probe_on_training_rows(scene: Scene) -> Scene:
    return scene.add("--probe", f"forget_vqa={scene.stranger / 'forget.jsonl'}")


def held_out(name: str) -> Callable[[Scene], Scene]:
    return lambda scene: scene.add("--probe", f"{name}={scene.stranger / 'held_out.jsonl'}")


CASES: dict[str, tuple[Callable[[Scene], Scene], Sequence[str]]] = {
    # data
    "missing file": (
        lambda s: s.spoil(forget=s.stranger / "forgt.jsonl"),
        ["no such file", "forgt.jsonl", "mean 'forget.jsonl'"],
    ),
    "unknown kind of file": (lambda s: s.spoil(forget=s.file("rows.csv", "a,b")), ["rows.csv", "'.csv'", ".jsonl"]),
    "empty forget file": (rows(""), ["rows.jsonl", "holds no rows", "at least one"]),
    "broken JSON": (rows(GOOD, "{"), ["rows.jsonl, line 2", "broken JSON", "every line is one JSON object"]),
    "row without question": (rows(GOOD, {"answer": "Oslo"}), ["rows.jsonl, row 2", "no question beside answer"]),
    "empty answer": (rows({**GOOD, "answer": " "}), ["rows.jsonl, row 1, answer", "empty", "needs some text"]),
    "misspelt column": (rows({**GOOD, "imgae": "x.png"}), ["row 1", "column 'imgae' but no image", "rename it"]),
    "missing picture": (
        rows({**GOOD, "image": "no.png"}),
        ["row 1, image", "no such file", "no.png", "relative path starts at"],
    ),
    "broken picture": (picture(b"\x89PNG\r\n\x1a\nnothing"), ["row 2, image", "face.png", "not a picture"]),
    "huge picture": (picture(huge_png()), ["row 2, image", "20000 x 20000 pixels", "scale it down"]),
    "placeholder in a question": (
        rows(GOOD, {**GOOD, "question": "What is <image> here?"}),
        ["rows.jsonl, row 2, question", "placeholder <image>", "leave it out"],
    ),
    "forget and retain overlap": (
        lambda s: s.spoil(retain=s.stranger / "forget.jsonl"),
        ["forget and retain overlap in 20 rows", "retain row 1 = forget row 1", "take them out"],
    ),
    "probe repeats training rows": (
        probe_on_training_rows,
        ["probe 'forget_vqa' is not held out", "forget row 1", "take them out"],
    ),
    "method without its retain rows": (
        lambda s: s.spoil(retain=None),
        ["npo trains on retain rows", "add --retain FILE"],
    ),
    # settings
    "no method": (lambda s: s.spoil(method=""), ["--method is empty", "leave it out"]),
    "unknown method": (lambda s: s.spoil(method="nppo"), ["'nppo' is unknown", "did you mean 'npo'", "grad_diff"]),
    "unknown key": (lambda s: s.add("--set", "learning_rat=1"), ["--set learning_rat", "did you mean 'learning_rate'"]),
    "key without value": (lambda s: s.add("--set", "beta"), ["--set 'beta'", "key=value"]),
    "value of the wrong kind": (lambda s: s.add("--set", "epochs=many"), ["epochs='many'", "valid number"]),
    "infinite value": (lambda s: s.add("--set", "learning_rate=1e999"), ["learning_rate='1e999'", "finite"]),
    "hyper-parameter out of range": (lambda s: s.add("--set", "beta=-1"), ["npo: beta=-1.0", "greater than 0"]),
    "unknown part": (lambda s: s.add("--parts", "language,vison"), ["'vison'", "did you mean 'vision'", "projector"]),
    "rank of nothing": (lambda s: s.add("--lora", "0"), ["lora.rank=0", "greater than or equal to 1"]),
    "probe without a file": (lambda s: s.add("--probe", "held_out.jsonl"), ["--probe 'held_out.jsonl'", "NAME=FILE"]),
    "probe that names no file": (held_out("../../etc"), ["probes: '../../etc'", "use letters"]),
    "probe given twice": (lambda s: held_out("a")(held_out("a")(s)), ["--probe a is given twice", "name of its own"]),
    "unknown YAML key": (yaml("modle: x\n"), ["mine.yaml", "unknown key 'modle'", "did you mean 'model'"]),
    "hyper-parameter in the wrong place": (
        yaml("beta: 0.3\n"),
        ["mine.yaml", "'beta'", "hyper_parameters: {beta: 0.3}"],
    ),
    "broken YAML": (yaml("model: x\n  forget: [\n"), ["mine.yaml, line 2", "not YAML"]),
    "YAML of something else": (yaml("just words"), ["mine.yaml: holds words alone", "keys and values are expected"]),
    "missing YAML": (lambda s: s.add(s.folder / "none.yaml"), ["cannot read", "none.yaml", "No such file"]),
    "nothing required is given": (
        lambda s: s.spoil(model=None, forget=None, out=None),
        ["missing --model, --forget, --out", "unsee unlearn --help"],
    ),
    # model
    "missing model folder": (
        lambda s: s.spoil(model=s.stranger / "lava"),
        ["lava: no such model folder", "did you mean 'llava'"],
    ),
    "folder without a model": (
        lambda s: s.spoil(model=s.stranger / "photos"),
        ["photos", "no config.json", "save_pretrained"],
    ),
    "text-only model": (text_model, ["'llama' is a text-only model", "give a vision-language model"]),
    "NaN weights": (lambda s: s.spoil(model=s.model(nan_weights)), ["weight", "NaN", "checkpoint is broken"]),
    "weights missing": (
        lambda s: s.spoil(model=s.model(half_the_weights)),
        ["hold no weight", "more tensors", "not complete"],
    ),
    "model without processor": (
        without("processor_config.json", "tokenizer_config.json", "tokenizer.json", "chat_template.jinja"),
        ["model: has no processor", "add processor_config.json"],
    ),
    "chat template missing": (
        without("chat_template.jinja"),
        ["model: LlavaProcessor has no chat template", "add chat_template.jinja"],
    ),
    "threshold that no weight passes": (
        lambda s: s.spoil(method="mmunlearner").add("--set", "gamma=1e30", "--parts", "projector"),
        ["gamma=1e+30 masks out every weight", "smaller gamma"],
    ),
    # output folder
    "folder with other files": (foreign_files, ["out", "not empty and holds no run", "does not exist yet"]),
    "folder with a run.yaml of another program": (
        foreign_run_yaml,
        ["run.yaml that no run wrote", "does not exist yet"],
    ),
    "out is a file": (out_is_a_file, ["is a file", "does not exist yet"]),
    "out below a file": (out_below_a_file, ["file is a file, so", "cannot be made"]),
    # typing
    "unknown option": (lambda s: s.add("--modle", "x"), ["No such option: --modle", "--model", "unsee unlearn --help"]),
    "option without value": (lambda s: s.add("--lora"), ["'--lora' requires an argument"]),
    "value that is no number": (
        lambda s: s.add("--lora", "many"),
        ["'--lora'", "valid integer", "unsee unlearn --help"],
    ),
}


def check(outcome: Outcome, keywords: Sequence[str]) -> None:
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    (line,) = outcome.complaints
    assert line.startswith("unsee: error: ")
    assert "Traceback" not in line
    for keyword in keywords:
        assert keyword in line, (keyword, line)


@pytest.mark.parametrize("case", CASES)
def test_unlearn_says_what_is_wrong_and_writes_nothing(stranger: Stranger, tmp_path: Path, case: str) -> None:
    spoil, keywords = CASES[case]
    scene = spoil(Scene(stranger, tmp_path))
    before = files_of(tmp_path), sorted(tmp_path.rglob("*"))
    check(call(*scene.arguments), keywords)
    assert (files_of(tmp_path), sorted(tmp_path.rglob("*"))) == before


def test_the_command_that_each_case_spoils_is_right(stranger: Stranger, tmp_path: Path) -> None:
    outcome = call(*Scene(stranger, tmp_path).arguments)
    assert (outcome.code, outcome.complaints) == (0, [])


@pytest.mark.parametrize(
    ("change", "keywords"),
    [
        (["--set", "seed=1"], ["seed there is 0, here 1"]),
        (["--method", "grad_diff"], ['method there is "npo", here "grad_diff"']),
        (["--lora", "2"], ["lora there is null, here {"]),
    ],
)
def test_a_folder_with_another_run_is_left_alone(
    stranger: Stranger, tmp_path: Path, change: list[str], keywords: list[str]
) -> None:
    scene = Scene(stranger, tmp_path)
    assert call(*scene.arguments).code == 0
    before = files_of(scene.out)
    check(call(*scene.arguments, *change), [f"{scene.out} holds another run", *keywords, "give another folder"])
    assert files_of(scene.out) == before


def test_a_folder_whose_data_has_changed_is_left_alone(stranger: Stranger, tmp_path: Path) -> None:
    forget = write_rows(tmp_path / "forget.jsonl", "Eve", 4, 0)
    scene = Scene(stranger, tmp_path).spoil(forget=forget)
    assert call(*scene.arguments).code == 0
    write_rows(forget, "Eve", 5, 0)
    before = files_of(scene.out)
    check(call(*scene.arguments), ["holds another run", "content of forget there is"])
    assert files_of(scene.out) == before


def test_a_training_that_diverges_says_so(stranger: Stranger, tmp_path: Path) -> None:
    scene = Scene(stranger, tmp_path).add("--set", "learning_rate=1e30", "--set", "max_steps=5")
    check(call(*scene.arguments), ["npo: forget loss is nan at step 2", "smaller learning_rate than 1e+30"])
    assert not (scene.out / "model").exists()


def test_too_little_memory(stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.")

    scene = Scene(stranger, tmp_path)
    monkeypatch.setattr("unsee.evaluation.measure.answers", exhausted)
    check(call(*scene.arguments), ["cpu has too little memory", "smaller batch_size", "--lora"])
    assert not scene.out.exists()
    given = ["--model", stranger / "llava", "--data", stranger / "forget.jsonl"]
    check(call("evaluate", *given, "--max-new-tokens", 1), ["cpu has too little memory", "smaller --batch-size"])


def test_a_folder_from_a_run_killed_at_its_first_file_is_taken(stranger: Stranger, tmp_path: Path) -> None:
    scene = Scene(stranger, tmp_path)
    scene.out.mkdir()
    of_a_dead_writer(scene.out / "run.yaml").write_text("settings:")
    assert call(*scene.arguments).code == 0


@pytest.mark.parametrize("place", ["", "deeper/run"])
def test_no_permission_to_write(stranger: Stranger, tmp_path: Path, place: str) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    scene = Scene(stranger, tmp_path).spoil(out=closed / place)
    check(as_nobody(scene.arguments, tmp_path), ["no permission to write to", str(closed), "folder of your own"])
    assert not list(closed.iterdir())


def test_no_permission_to_read(stranger: Stranger, tmp_path: Path) -> None:
    scene = Scene(stranger, tmp_path)
    scene.rows(GOOD).chmod(0)
    scene.spoil(forget=tmp_path / "rows.jsonl", out=tmp_path / "open" / "run")
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    check(as_nobody(scene.arguments, tmp_path), ["cannot read", "rows.jsonl", "Permission denied"])
    assert not list((tmp_path / "open").iterdir())


def as_nobody(arguments: Sequence[object], folder: Path) -> Outcome:
    """What a user without rights gets to see; root has them all, so it calls from a process that gave them up."""
    if os.geteuid() != 0:
        return call(*arguments)
    for parent in (folder, *folder.parents[:3]):  # pytest makes its folders for their owner alone
        parent.chmod(parent.stat().st_mode | 0o055)
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            outcome = call(*arguments)
            os.write(outlet, json.dumps([outcome.code, outcome.out, outcome.err]).encode())
        finally:
            os._exit(0)
    os.close(outlet)
    with os.fdopen(inlet, "rb") as told:
        code, out, err = json.loads(told.read())
    os.waitpid(child, 0)
    return Outcome(code, out, err)
