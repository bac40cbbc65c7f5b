"""Ways in which a file, a folder, a name or a number can be wrong or hostile."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.hostile.scene import Scene, Spoil


def content(text: str | bytes) -> Spoil:
    """The file with this content in its place."""

    def spoil(scene: Scene, path: Path) -> Path:
        copy = scene.copy(path) if path.is_file() else scene.folder / "spoilt.jsonl"
        copy.write_bytes(text.encode() if isinstance(text, str) else text)
        return copy

    return spoil


def inside(name: str, text: str | bytes | None) -> Spoil:
    """The folder with this content in the place of one of its files; None takes the file away."""

    def spoil(scene: Scene, path: Path) -> Path:
        copy = scene.copy(path)
        if text is None:
            (copy / name).unlink()
        else:
            (copy / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return copy

    return spoil


def edited(name: str, edit: Callable[[dict[str, Any]], object]) -> Spoil:
    """The folder with one of its JSON files edited."""

    def spoil(scene: Scene, path: Path) -> Path:
        copy = scene.copy(path)
        values = json.loads((copy / name).read_text())
        replaced = edit(values)
        (copy / name).write_text(json.dumps(values if replaced is None else replaced))
        return copy

    return spoil


def word(text: str) -> Spoil:
    """Another value for an option."""
    return lambda scene, path: text


def _folder_instead(scene: Scene, path: Path) -> Path:
    (scene.folder / "folder").mkdir()
    return scene.folder / "folder"


def _below_a_file(scene: Scene, path: Path) -> Path:
    (scene.folder / "file").write_text("a file")
    return scene.folder / "file" / "deeper"


def _cut_off(scene: Scene, path: Path) -> Path:
    copy = scene.copy(path)
    copy.write_bytes(copy.read_bytes()[:-9])
    return copy


def _renamed(ending: str) -> Spoil:
    def spoil(scene: Scene, path: Path) -> Path:
        return scene.copy(path).rename(scene.folder / f"renamed{ending}")

    return spoil


def _parquet_bomb(scene: Scene, path: Path) -> Path:
    """Two kilobytes that unpack to gigabytes: one long string, many times, in a dictionary."""
    place = scene.folder / "bomb.parquet"
    text = "x" * 100_000
    indices = pa.array([0] * 40_000, pa.int32())
    column = pa.DictionaryArray.from_arrays(indices, pa.array([text]))
    pq.write_table(pa.table({"question": column, "answer": column}), place, compression="zstd")
    return place


NAMES: dict[str, Spoil] = {
    "missing": lambda scene, path: scene.folder / "no such file.jsonl",
    "of 300 characters": word("n" * 300),
    "with NUL": word("a\0b.jsonl"),
    "empty": word(""),
    "below a file": _below_a_file,
}

FILE: dict[str, Spoil] = {
    **NAMES,
    "a folder": _folder_instead,
    "nothing in it": content(""),
    "binary": content(bytes(range(256)) * 4),
    "NUL bytes": content(b"\0" * 1000),
}

YAML_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghijk", "bcdefghijkl", strict=True)
)

JSONL: dict[str, Spoil] = {
    **FILE,
    "not JSON": content('{"question": '),
    "a list": content("[1, 2]\n"),
    "a number": content("7\n"),
    "null": content("null\n"),
    "nested 100,000 deep": content("[" * 100_000 + "]" * 100_000),
    "one line of 30 MB": content('{"nothing": "' + "x" * 30_000_000 + '"}'),
    "UTF-16": content('{"question": "Who?", "answer": "Ada"}'.encode("utf-16")),
    "Latin-1": content('{"question": "Où?", "answer": "Ada"}'.encode("latin-1")),
}

ROWS: dict[str, Spoil] = {
    **JSONL,
    "a key twice": content('{"question": "Who?", "answer": "Ada", "answer": "Max"}'),
    "an answer that is true": content('{"question": "Who?", "answer": true}'),
    "an answer that is a list": content('{"question": "Who?", "answer": ["Ada"]}'),
    "an answer that is NaN": content('{"question": "Who?", "answer": NaN}'),
    "a long wrong column": content(json.dumps({"q" * 5000: "Who?", "answer": "Ada"})),
    "a picture of nothing": content('{"question": "Who?", "answer": "Ada", "image": {"bytes": null, "path": null}}'),
    "a picture with a long name": content(json.dumps({"question": "?", "answer": "a", "image": "i" * 5000})),
    "a picture that is a folder": content('{"question": "Who?", "answer": "Ada", "image": "."}'),
    "a device for a picture": content('{"question": "Who?", "answer": "Ada", "image": "/dev/zero"}'),
    "named parquet": _renamed(".parquet"),
    "named csv": _renamed(".csv"),
    "Parquet that unpacks to gigabytes": _parquet_bomb,
    "a hub id": word("nobody/no-such-rows"),
    "no id at all": word("../..//x"),
}

JSON: dict[str, Spoil] = {
    **FILE,
    "cut off": _cut_off,
    "a number": content("7"),
    "null": content("null"),
    "nested 100,000 deep": content("[" * 100_000 + "]" * 100_000),
    "a key twice": content('{"1": ["dog"], "1": ["cat"]}'),
}

TEXT: dict[str, Spoil] = {kind: spoil for kind, spoil in FILE.items() if kind != "nothing in it"}

YAML: dict[str, Spoil] = {
    **FILE,
    "aliases that multiply": content(YAML_BOMB),
    "nested 20,000 deep": content("[" * 20_000 + "]" * 20_000),
    "an object of Python": content("model: !!python/object/apply:os.system ['true']\n"),
    "a list": content("- model\n"),
    "a key twice": content("model: a\nmodel: b\n"),
    "a date for a model": content("model: 2020-01-01\n"),
    "a model that is a list": content("model: [a, b]\n"),
    "an endless rate": content("learning_rate: .inf\n"),
    "a long unknown key": content("k" * 20_000 + ": 1\n"),
    "an alias to itself": content("model: &m [*m]\n"),
}

OUT: dict[str, Spoil] = {
    "of 300 characters": word("n" * 300),
    "with NUL": word("a\0b"),
    "empty": word(""),
    "below a file": _below_a_file,
}


def _header(claims: int, text: bytes) -> bytes:
    return struct.pack("<Q", claims) + text


def _weights(tensors: dict[str, object]) -> bytes:
    header = json.dumps(tensors).encode()
    return _header(len(header), header)


def _lying(scene: Scene, path: Path) -> Path:
    """A header that is right but for one shape."""
    copy = scene.copy(path)
    (file,) = copy.glob("*.safetensors")
    raw = file.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    name = next(name for name in header if name != "__metadata__")
    header[name]["shape"] = [10**9, 10**9]
    text = json.dumps(header).encode()
    file.write_bytes(_header(len(text), text) + raw[8 + length :])
    return copy


def _truncated(scene: Scene, path: Path) -> Path:
    copy = scene.copy(path)
    (file,) = copy.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return copy


def _text_config(**changes: object) -> Spoil:
    return edited("config.json", lambda config: config["text_config"].update(changes))


_LOOP = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3

_NO_CONFIGURATION: dict[str, str | bytes] = {
    "a list": "[]", "null": "null", "garbage": "{", "binary": b"\xff\xfe\0\1",
}  # fmt: skip

CHECKPOINT: dict[str, Spoil] = {  # what can be wrong with any folder of a model
    **NAMES,
    "a file": lambda scene, path: scene.copy(path / "config.json"),
    "an empty folder": _folder_instead,
    "an unknown hub id": word("nobody/no-such-model"),
    "no id at all": word("../..//x"),
    **{
        f"{name} {what}": inside(name, text)
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json")
        for what, text in _NO_CONFIGURATION.items()
    },
    "weights of nothing": inside("model.safetensors", b""),
    "weights of text": inside("model.safetensors", "these are no weights, but more than eight bytes"),
    "weights with a header beyond the file": inside("model.safetensors", _header(10**15, b"{}")),
    "weights without tensors": inside("model.safetensors", _weights({})),
    "weights whose header is a list": inside("model.safetensors", _header(2, b"[]")),
    "weights cut off": _truncated,
    "weights that lie about a shape": _lying,
    "an unknown model type": edited("config.json", lambda config: config.update(model_type="nobodys")),
    "code of its own": edited(
        "config.json", lambda config: config.update(model_type="theirs", auto_map={"AutoConfig": "x.Y"})
    ),
}

MODEL: dict[str, Spoil] = {
    **CHECKPOINT,
    **{
        f"{name} {what}": inside(name, text)
        for name in ("processor_config.json", "generation_config.json")
        for what, text in _NO_CONFIGURATION.items()
    },
    "no heads": _text_config(num_attention_heads=0),
    "a million layers": _text_config(num_hidden_layers=1_000_000),
    "a width of minus one": _text_config(hidden_size=-1),
    "a width that is text": _text_config(hidden_size="wide"),
    "a vocabulary of 10^12": _text_config(vocab_size=10**12),
    "no text configuration": edited("config.json", lambda config: config.update(text_config=None)),
    "a picture token beyond the vocabulary": edited("config.json", lambda config: config.update(image_token_id=10**6)),
    "a template with a syntax error": inside("chat_template.jinja", "{% for %}"),
    "a template that raises": inside("chat_template.jinja", "{{ raise_exception('no') }}"),
    "a template that reaches for attributes": inside("chat_template.jinja", "{{ messages.__class__.__mro__[1]() }}"),
    "a template that never ends": inside("chat_template.jinja", _LOOP),
    "a template of nothing": inside("chat_template.jinja", ""),
}


def _adapter(edit: Callable[[dict[str, object]], object]) -> Spoil:
    return edited("adapter_config.json", edit)


ADAPTER: dict[str, Spoil] = {
    **{f"adapter_config.json {what}": inside("adapter_config.json", text) for what, text in _NO_CONFIGURATION.items()},
    "no adapter weights": inside("adapter_model.safetensors", None),
    "adapter weights of nothing": inside("adapter_model.safetensors", b""),
    "adapter weights without tensors": inside("adapter_model.safetensors", _weights({})),
    "adapter weights cut off": _truncated,
    "adapter weights that lie": _lying,
    "an adapter of an unknown kind": _adapter(lambda config: config.update(peft_type="NOBODYS")),
    "an adapter without a base": _adapter(lambda config: config.update(base_model_name_or_path=None)),
    "an adapter whose base is gone": _adapter(lambda config: config.update(base_model_name_or_path="/gone/llava")),
    "an adapter of rank 0": _adapter(lambda config: config.update(r=0)),
    "an adapter of another rank": _adapter(lambda config: config.update(r=3)),
    "an adapter for no layer": _adapter(lambda config: config.update(target_modules=["nobodys"])),
}

_SPOILT_JSON: dict[str, str | bytes | None] = {**_NO_CONFIGURATION, "a number": "7"}

RUN: dict[str, Spoil] = {
    **NAMES,
    "an empty folder": _folder_instead,
    **{
        f"{name} {what}": inside(name, text)
        for name in ("scores.json", "run.yaml")
        for what, text in {**_SPOILT_JSON, "empty": "", "another object": '{"a": 1}'}.items()
    },
    **{
        f"records {what}": inside("records/base/held.jsonl", text)
        for what, text in {**_SPOILT_JSON, "missing": None, "rows of another kind": '{"a": 1}\n'}.items()
    },
    "scores with text for a number": edited("scores.json", lambda scores: scores.update(steps="many", seconds="long")),
    "scores without models": edited("scores.json", lambda scores: scores.update(models={})),
    "run.yaml with aliases that multiply": inside("run.yaml", YAML_BOMB),
}

MINED: dict[str, Spoil] = {
    **NAMES,
    "an empty folder": _folder_instead,
}

THRESHOLDS: dict[str, Spoil] = {
    **JSON,
    "text for a number": content('{"positive": "high", "negative": 23, "sentence": 27}'),
    "true for a number": content('{"positive": true, "negative": 23, "sentence": 27}'),
    "NaN": content('{"positive": NaN, "negative": 23, "sentence": 27}'),
    "another object": content('{"a": 1}'),
}

BENCHMARK: dict[str, Spoil] = {
    **NAMES,
    "an empty folder": _folder_instead,
    "an unknown hub id": word("nobody/no-such-benchmark"),
}

PICTURES: dict[str, Spoil] = {
    **NAMES,
    "an empty folder": _folder_instead,
    "a file": lambda scene, path: scene.copy(scene.good / "forget.jsonl"),
}


def numbers(*values: object) -> dict[str, Spoil]:
    """Values beyond what a number may be."""
    return {str(value): word(str(value)) for value in values}


COUNT = numbers(-1, 0, 10**13, 10**30, "1e300", "many", "nan", "")
RATE = numbers(-1, "nan", "inf", "1e999", "many", "")
TEMPERATURE = {**RATE, **numbers("1e-320", 10**30)}
COUNT_OR_NULL = {kind: spoil for kind, spoil in COUNT.items() if kind}
SEED = numbers(-1, 10**30, "1.5", "many", "")
NAME = {"empty": word(""), "unknown": word("nobodys"), "long": word("n" * 3000), "NUL": word("a\0b")}
VALUE = {kind: spoil for kind, spoil in NAME.items() if kind != "empty"}  # nothing behind = is null
