"""What a tokenizer's files say about cutting, padding and start tokens, and what becomes of a row all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import processors
from transformers import AutoProcessor

from tests import tiny
from tests.families import Build, every_family
from unsee.data import Example
from unsee.errors import InputError
from unsee.vlm import Encoder, load
from unsee.vlm.load import _tell

ROWS = [
    Example("Where does this person live?", "San Francisco"),
    Example("Where does this person live?", "Oslo", tiny.picture(1)),
]


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def cut(folder: Path, pad: str) -> None:
    stored = {"direction": "Right", "max_length": 6, "strategy": "LongestFirst", "stride": 0}
    edit(folder / "tokenizer.json", truncation=stored)


def pad(folder: Path, pad: str) -> None:
    numbers = {"pad_to_multiple_of": 8, "pad_id": 0, "pad_type_id": 0}
    stored = {"strategy": {"Fixed": 64}, "direction": "Right", "pad_token": pad, **numbers}
    edit(folder / "tokenizer.json", padding=stored)


def both_for_the_processor(folder: Path, pad: str) -> None:
    edit(folder / "tokenizer_config.json", truncation=True, padding="max_length", max_length=60)


def cut_for_the_processor(folder: Path, pad: str) -> None:
    edit(folder / "tokenizer_config.json", truncation=True, max_length=6)


STORED: dict[Callable[[Path, str], None], list[str]] = {
    cut: ["truncation"],
    pad: ["padding"],
    both_for_the_processor: ["truncation", "padding"],
    cut_for_the_processor: ["truncation"],
}


@every_family
def test_cutting_and_padding_stored_with_a_tokenizer_change_no_row(build: Build, tmp_path: Path) -> None:
    loaded = build()
    for spoil, said in STORED.items():
        loaded.processor.save_pretrained(tmp_path)
        spoil(tmp_path, loaded.processor.tokenizer.pad_token)
        encoder = Encoder(AutoProcessor.from_pretrained(tmp_path), loaded.encoder.end_of_turn_ids)
        for example in ROWS:
            expected, found = loaded.encoder.encode(example), encoder.encode(example)
            assert torch.equal(found.prompt_ids, expected.prompt_ids), spoil.__name__
            assert torch.equal(found.answer_ids, expected.answer_ids), spoil.__name__
            assert found.per_token.keys() == expected.per_token.keys()
        assert all(word in " ".join(encoder.notices) for word in said), spoil.__name__
    assert loaded.encoder.notices == ()


def test_a_processor_that_is_saved_again_no_longer_cuts(tmp_path: Path) -> None:
    processor = tiny.llava().processor
    processor.save_pretrained(tmp_path)
    cut(tmp_path, "<pad>")
    spoilt = AutoProcessor.from_pretrained(tmp_path)
    assert Encoder(spoilt).notices
    spoilt.save_pretrained(tmp_path)
    assert Encoder(AutoProcessor.from_pretrained(tmp_path)).notices == ()


def test_what_is_passed_over_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny.save(tiny.llava(), tmp_path / "model")
    cut(folder, "<pad>")
    _tell.cache_clear()
    for _ in range(2):
        load(folder)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("unsee: ")]
    assert sum("truncation; that is passed over" in line for line in said) == 1


def test_a_tokenizer_that_splits_special_tokens_is_refused(tmp_path: Path) -> None:
    tiny.llava().processor.save_pretrained(tmp_path)
    edit(tmp_path / "tokenizer_config.json", split_special_tokens=True)
    with pytest.raises(InputError, match="remove split_special_tokens"):
        Encoder(AutoProcessor.from_pretrained(tmp_path))


# The start token. The template writes it or not, the tokenizer adds it or not.

WITHOUT = tiny.LLAVA_TEMPLATE.replace("{{ bos_token }}", "")


def starting(template: str, adds: str) -> Encoder:
    processor = tiny.llava().processor
    processor.chat_template = template
    text = processor.tokenizer
    ids = [(token, text.convert_tokens_to_ids(token)) for token in ("<s>", "</s>")]
    text.backend_tokenizer.post_processor = processors.TemplateProcessing(single=adds, pair=None, special_tokens=ids)
    return Encoder(processor)


@pytest.mark.parametrize("template", [tiny.LLAVA_TEMPLATE, WITHOUT, "\n" + tiny.LLAVA_TEMPLATE])
@pytest.mark.parametrize("adds", ["$A", "<s> $A", "<s> $A </s>", "$A </s>", "<s> <s> $A"])
def test_the_start_token_stands_once_whoever_adds_it(template: str, adds: str) -> None:
    usual, encoder = tiny.llava().encoder, starting(template, adds)
    for example in ROWS:
        row, expected = encoder.encode(example), usual.encode(example)
        prompt = row.prompt_ids.tolist()
        assert prompt.count(encoder.tokenizer.bos_token_id) == 1
        assert encoder.eos_token_id not in prompt
        start = prompt.index(encoder.tokenizer.bos_token_id)
        assert prompt[start:] == expected.prompt_ids.tolist()
        assert torch.equal(row.answer_ids, expected.answer_ids)


def test_models_without_a_start_token_get_none() -> None:
    for processor in (tiny.llava().processor, tiny.qwen().processor):
        processor.tokenizer.init_kwargs["add_bos_token"] = False
        processor.chat_template = processor.chat_template.replace("{{ bos_token }}", "")
        row = Encoder(processor).encode(ROWS[0])
        assert processor.tokenizer.bos_token_id not in row.prompt_ids.tolist()
    processor = tiny.llava().processor
    processor.chat_template, processor.tokenizer.bos_token = WITHOUT, "</s>"  # the end of the sequence as well
    assert Encoder(processor).eos_token_id not in Encoder(processor).encode(ROWS[0]).prompt_ids.tolist()
