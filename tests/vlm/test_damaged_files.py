"""Files of a model that are damaged, at odds with each other or hostile: one line that names the file, at once."""

from __future__ import annotations

import json
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests import tiny
from unsee.errors import InputError
from unsee.vlm import LoraOptions, load, outline
from unsee.vlm.checkpoint import reading

Spoil = Callable[[Path], object]
WEIGHTS, ADAPTER = "model.safetensors", "adapter_model.safetensors"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `llava`, the same in `shards`, and an `adapter`."""
    folder = tmp_path_factory.mktemp("sound")
    tiny.save(tiny.llava(), folder / "llava")
    loaded = load(folder / "llava", lora=LoraOptions(rank=2), parts=("language",), device="cpu")
    tiny.save(loaded, folder / "adapter")
    whole = load(folder / "llava", device="cpu")
    tiny.save(whole, folder / "shards")
    (folder / "shards" / WEIGHTS).unlink()
    model: Any = whole.model
    model.save_pretrained(folder / "shards", max_shard_size="100KB")
    return folder


def write(name: str, content: str | bytes) -> Spoil:
    return lambda folder: (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def change(name: str, key: str, value: Any) -> Spoil:
    """Another value for a key; dots lead into what is within."""

    def spoil(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        *path, last = key.split(".")
        inner = content
        for step in path:
            inner = inner[step]
        inner[last] = value
        (folder / name).write_text(json.dumps(content))

    return spoil


def config(key: str, value: Any) -> Spoil:
    return change("config.json", key, value)


def adapter(key: str, value: Any) -> Spoil:
    return change("adapter_config.json", key, value)


def base(value: Any) -> Spoil:
    return adapter("base_model_name_or_path", value)


def header(change: Callable[[int, bytes], tuple[int, bytes]], name: str = WEIGHTS) -> Spoil:
    """Another length, or other words, at the head of a file of weights."""

    def spoil(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        said, words = change(length, content[8 : 8 + length])
        (folder / name).write_bytes(struct.pack("<Q", said) + words + content[8 + length :])

    return spoil


def cut(name: str, keep: float) -> Spoil:
    return lambda folder: write(name, (folder / name).read_bytes()[: int(keep * (folder / name).stat().st_size)])(
        folder
    )


def pickled(folder: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def shard_gone(folder: Path) -> None:
    sorted(folder.glob("model-*.safetensors"))[0].unlink()


def index(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    """Another index of shards, made from its list of places."""

    def spoil(folder: Path) -> None:
        path = folder / f"{WEIGHTS}.index.json"
        path.write_text(json.dumps(change(json.loads(path.read_text())["weight_map"])))

    return spoil


def exchanged(places: dict[str, str]) -> dict[str, Any]:
    first, other = sorted(places, key=lambda name: places[name])[0], max(places.values())
    return {"weight_map": {**places, first: other}}


def tensors(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Spoil:
    """Other tensors in the file of an adapter."""
    return lambda folder: save_file(change(load_file(folder / ADAPTER)), folder / ADAPTER)


def first_one(change: Callable[[torch.Tensor], torch.Tensor]) -> Spoil:
    return tensors(lambda held: {**held, min(held): change(held[min(held)])})


CONFIGURATIONS = (
    "config.json", "generation_config.json", "processor_config.json", "tokenizer_config.json", "tokenizer.json",
)  # fmt: skip
OTHERS: dict[str, str | bytes] = {
    "list": "[1]",
    "null": "null",
    "word": '"x"',
    "garbage": '{"a":',
    "binary": b"\x00\x80",
}

MODEL: dict[str, tuple[Spoil, str]] = {
    **{f"{name} is {kind}": (write(name, what), name) for name in CONFIGURATIONS for kind, what in OTHERS.items()},
    # weights
    "empty weights": (write(WEIGHTS, b""), r"model\.safetensors: damaged .*header too small"),
    "lying length": (header(lambda length, words: (length + 50, words)), r"model\.safetensors: damaged"),
    "huge length": (header(lambda length, words: (2**60, words)), r"model\.safetensors: damaged .*header too large"),
    "header of garbage": (header(lambda length, words: (length, b"x" * length)), r"model\.safetensors: damaged"),
    "lying offset": (
        header(lambda length, words: (length, words.replace(b"offsets\":[0,", b"offsets\":[9,"))),
        r"model\.safetensors: damaged .*offset",
    ),
    "weights cut off": (cut(WEIGHTS, 0.5), r"model\.safetensors: damaged"),
    "cut off within the header": (cut(WEIGHTS, 0.01), r"model\.safetensors: damaged"),
    "weights as a pickle": (pickled, r"pytorch_model\.bin: weights as a pickle.*save them as \.safetensors"),
    # sizes
    "no heads": (config("text_config.num_attention_heads", 0), r"text_config\.num_attention_heads is 0"),
    "no heads in the tower": (config("vision_config.num_attention_heads", 0), r"num_attention_heads is 0"),
    "layers below none": (config("text_config.num_hidden_layers", -1), r"num_hidden_layers is -1"),
    "a million layers": (config("text_config.num_hidden_layers", 10**6), r"num_hidden_layers is 1000000, which is be"),
    "a million layers in the tower": (config("vision_config.num_hidden_layers", 10**6), r"vision_config\.num_hid"),
    "a billion wide": (config("text_config.hidden_size", 10**9), r"hidden_size is 1000000000, and the weights are"),
    "a larger model": (config("text_config.vocab_size", 10**4), r"files hold no more than 97,024; take both"),
    "a slightly larger model": (config("text_config.vocab_size", 800), "other sizes than config.json says"),
    "heads that do not divide": (config("text_config.num_attention_heads", 7), "multiple of the number of attention"),
    "pixels of nothing": (config("vision_config.patch_size", 0), r"vision_config\.patch_size is 0"),
    # other words of the configuration
    "no tower": (config("vision_config", None), "vision_config is null"),
    "a tower that is a list": (config("vision_config", [1]), "cannot load its config.json: .*vision_config"),
    "unknown activation": (config("text_config.hidden_act", "nope"), "no model that can be built: KeyError 'nope'"),
    "unknown positions": (config("text_config.rope_parameters", {"rope_type": "no"}), "no model that can be built"),
    "unknown dtype": (config("dtype", "float99"), "cannot load its config.json: .*float99"),
    "unknown model": (config("model_type", "xyz"), "cannot load its config.json: .*xyz"),
    "rounded by GPTQ": (config("quantization_config", {"quant_method": "gptq"}), r"rounded \(gptq\), .*made from"),
    "rounded by AWQ": (config("quantization_config", {"quant_method": "awq"}), r"rounded \(awq\), .*made from"),
    "rounded somehow": (config("quantization_config", {"bits": 4}), r"rounded \(in an unknown way\), .*made from"),
    "rounded in a list": (config("quantization_config", [4]), "quantization_config .*no JSON object"),
    "end of turn in words": (change("generation_config.json", "eos_token_id", ["x"]), "eos_token_id is .*number of a"),
    # processor
    "image processor is a list": (change("processor_config.json", "image_processor", [1]), "cannot load its processor"),
    "no image processor": (change("processor_config.json", "image_processor", None), "cannot load its processor"),
    "words of another shape": (change("tokenizer.json", "model", [1]), "cannot load its processor"),
    "length in words": (change("tokenizer_config.json", "model_max_length", "x"), "cannot load its processor"),
}  # fmt: skip
SHARDS: dict[str, tuple[Spoil, str]] = {
    "missing": (shard_gone, r"model-00001-of-0000\d\.safetensors: no such file of weights"),
    "in another file": (index(exchanged), "holds no weight .*though the index says so"),
    "nowhere": (index(lambda places: {"weight_map": {**places, min(places): None}}), "into None, which is no"),
    "elsewhere": (index(lambda places: {"weight_map": dict.fromkeys(places, f"../{WEIGHTS}")}), "no .safetensors file"),
    "no map": (index(lambda places: {}), "weight_map is missing"),
    "a list": (index(list), r"index\.json: holds list"),
}  # fmt: skip
ADAPTERS: dict[str, tuple[Spoil, str]] = {
    **{f"it is {kind}": (write("adapter_config.json", what), "adapter_config") for kind, what in OTHERS.items()},
    "unknown kind": (adapter("peft_type", "LORE"), "peft_type 'LORE' is unknown .*mean 'LORA'"),
    "base is gone": (base("/gone/base"), "/gone/base: no such .*set base_model_name_or_path in"),
    "base is not in the cache": (base("a/b"), "a/b: .*set base_model_name_or_path in"),
    "base is a number": (base(3), "base_model_name_or_path is mis"),
    "another rank": (adapter("r", 3), "does not fit its base model: .*size mismatch"),
    "rank in words": (adapter("r", "x"), "does not fit its base model"),
    "rank of a million": (adapter("r", 10**6), "r is 1000000, and no weight .*more than 64 rows"),
    "scale in words": (adapter("lora_alpha", "x"), "does not fit its base model"),
    "fewer layers": (adapter("target_modules", ["q_proj"]), r"and \d+ more matches no layer"),
    "other layers": (adapter("target_modules", ["nope"]), "does not fit its base model: .*nope"),
    "no weights": (lambda folder: (folder / ADAPTER).unlink(), r"adapter_model\.safetensors: no such file of weights"),
    "empty": (write(ADAPTER, b""), r"adapter_model\.safetensors: damaged"),
    "cut off": (cut(ADAPTER, 0.9), r"adapter_model\.safetensors: damaged"),
    "half of it": (tensors(lambda held: {k: held[k] for k in sorted(held)[::2]}), r"and 13 more is missing from its f"),
    "other names": (tensors(lambda held: {f"x.{k}": v for k, v in held.items()}), "matches no layer"),
    "one name more": (tensors(lambda held: {**held, "foo.lora_A.weight": torch.zeros(2, 2)}), "foo.* matches no layer"),
    "not a number": (first_one(lambda held: held * torch.nan), "of the adapter holds NaN or infinite values"),
    "infinite": (first_one(lambda held: held + torch.inf), "of the adapter holds NaN or infinite values"),
    "another shape": (first_one(lambda held: torch.zeros(5, 5)), "does not fit its base model: .*size mismatch"),
    "whole numbers": (tensors(lambda held: {k: v.int() for k, v in held.items()}), "is of type I32 and no fraction"),
}  # fmt: skip
CASES = [
    pytest.param(kind, spoil, said, id=f"{kind}-{name}")
    for kind, cases in (("llava", MODEL), ("shards", SHARDS), ("adapter", ADAPTERS))
    for name, (spoil, said) in cases.items()
]


@pytest.mark.parametrize(("kind", "spoil", "said"), CASES)
def test_a_damaged_file_is_named_in_one_line(kind: str, spoil: Spoil, said: str, sound: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sound / kind, tmp_path / "model")
    spoil(folder)
    started = time.perf_counter()
    with pytest.raises(InputError, match=said) as raised:
        load(folder, device="cpu")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) <= 400 + 2 * len(str(folder))
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("kind", ["llava", "shards", "adapter"])
def test_what_each_case_spoils_is_sound(kind: str, sound: Path) -> None:
    assert load(sound / kind, device="cpu").source == str(sound / kind)


@pytest.mark.parametrize("key", ["text_config.num_hidden_layers", "vision_config.num_hidden_layers"])
def test_an_outline_of_a_million_layers_is_refused_without_weights(key: str, sound: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sound / "llava", tmp_path / "model")
    config(key, 10**6)(folder)
    (folder / WEIGHTS).unlink()
    with pytest.raises(InputError, match="is 1000000, which is beyond any model"):
        outline(folder)


def test_own_code_names_the_setting_that_would_allow_it(sound: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sound / "llava", tmp_path / "model")
    config("auto_map", {"AutoConfig": "mine.Config"})(folder)
    load(folder, device="cpu")  # of a kind that is known without it
    config("model_type", "mine")(folder)
    with pytest.raises(InputError, match=r"'mine' comes with code of its own .*--trust-remote-code"):
        load(folder, device="cpu")


@pytest.mark.parametrize("lack", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError("[enforce "
    "fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: can't allocate memory")])  # fmt: skip
def test_too_little_memory_for_the_weights_names_dtype_and_four_bits(
    lack: Exception, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise lack

    monkeypatch.setattr("transformers.AutoModelForImageTextToText.from_pretrained", exhausted)
    with pytest.raises(InputError, match=r"cpu has too little memory .*float32; .*bfloat16.*quantize=4bit"):
        load(sound / "llava", device="cpu")


def test_weights_that_may_not_be_read_say_so(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_others = Path.open

    def closed(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == WEIGHTS:
            raise PermissionError(13, "Permission denied", str(path))
        return of_others(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", closed)  # the owner of all files is refused none
    with pytest.raises(InputError, match=r"^cannot read .*model\.safetensors: Permission denied$"):
        load(sound / "llava", device="cpu")


def test_a_bug_of_ours_is_no_damaged_file() -> None:
    class BugError(Exception):
        pass

    with pytest.raises(BugError), reading("model: cannot be read"):
        raise BugError
