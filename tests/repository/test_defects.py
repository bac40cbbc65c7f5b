"""Published implementations go wrong in ways that no error message tells: `docs/defects.md` lists them with tests.

Most of those tests stand with what they test. Here are the rest, and a check of the list.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests import tiny
from unsee.data import Example
from unsee.data.pairing import Mismatched, Pairing
from unsee.methods import build
from unsee.training.config import UnlearnConfig
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm import Encoder
from unsee.vlm.generate import answers

ROOT = Path(__file__).parents[2]
POINTER = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_test_that_the_table_of_defects_names_exists() -> None:
    pointers = POINTER.findall((ROOT / "docs" / "defects.md").read_text())
    assert len(pointers) >= 40
    for file, name in pointers:
        tree = ast.parse((ROOT / file).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file}::{name}"


def test_defect_an_end_token_that_pads_is_still_seen_between_turns() -> None:
    """A mask made of `ids != pad` hides every separator of turns once the pad token is the end token."""
    loaded = tiny.FAMILIES["qwen2_5_vl"]()
    tokenizer: Any = loaded.processor.tokenizer
    tokenizer.pad_token = "<|im_end|>"
    encoder = Encoder(loaded.processor, loaded.encoder.end_of_turn_ids)
    batch = encoder.batch([Example("Where?", "Riga"), Example("Where does Ada Byron live?", "London")])
    separator = tokenizer.convert_tokens_to_ids("<|im_end|>")
    ids, seen = batch.inputs["input_ids"], batch.inputs["attention_mask"].bool()
    # The separators of each row's own turns, question and answer, are attended; those that fill up are not.
    alone = [encoder.batch([example]).inputs["input_ids"] for example in (Example("Where?", "Riga"),)]
    assert int(((ids[0] == separator) & seen[0]).sum()) == int((alone[0] == separator).sum()) == 2
    assert not seen[0, : ids.shape[1] - alone[0].shape[1]].any()


@given(
    st.lists(st.sampled_from(["Riga", "Oslo", "Lima", "Rome"]), min_size=2, max_size=8),
    st.integers(0, 99),
    st.integers(0, 999),
)
def test_defect_a_mismatched_answer_is_never_the_right_one(given_answers: list[str], seed: int, position: int) -> None:
    """SKU and LLMU draw "random" answers that may be the row's own, which trains what is to be forgotten."""
    forget = [Example(f"question {n}", answer) for n, answer in enumerate(given_answers)]
    place = position % len(forget)
    drawn = Mismatched(forget, seed)(place, position)
    assert drawn.question == forget[place].question
    if len(set(given_answers)) > 1:
        assert drawn.answer != forget[place].answer
        assert drawn.answer in given_answers


@pytest.mark.parametrize(("forget", "retain"), [(3, 8), (8, 3)])
def test_defect_sets_of_any_size_train_for_any_number_of_epochs(forget: int, retain: int, tmp_path: Path) -> None:
    """Iterators made once end a reference loop in its second epoch; more forget than retain rows divide it by zero."""
    rows = {
        role: [Example(f"{role} {n}?", "Riga") for n in range(size)]
        for role, size in (("forget", forget), ("retain", retain))
    }
    arguments = UnlearnConfig(
        output_dir=str(tmp_path), num_train_epochs=3, per_device_train_batch_size=2, report_to="none",
        save_strategy="no", disable_tqdm=True, use_cpu=True,
    )  # fmt: skip
    trainer = UnlearnTrainer(
        tiny.llava(), arguments, method=build("grad_diff"), forget=rows["forget"], retain=rows["retain"]
    )
    seen: list[int] = []
    collate = trainer._collate

    def spy(positions: list[int]) -> dict[str, Any]:
        batch = collate(positions)
        seen.extend(batch["forget"]["indices"].tolist())
        return batch

    trainer.data_collator = spy
    trainer.train()
    for epoch in range(3):
        assert sorted(seen[epoch * forget : (epoch + 1) * forget]) == list(range(forget))


def test_defect_processes_do_not_share_one_stream_of_retain_rows() -> None:
    """A retain row drawn from each process's own equal random state is the same row on every process."""
    pairing = Pairing(forget=16, retain=64, seed=0)
    drawn = [pairing[position]["retain"] for position in range(16)]
    assert len(set(drawn)) == 16


def test_defect_generation_sees_the_picture() -> None:
    """Prompts that are decoded to text and tokenised again lose their image and their turns: answers are blind."""
    loaded, pictures, prompts = tiny.llava(), [], []
    model: Any = loaded.model
    vision = model.get_encoder("image")
    vision.register_forward_pre_hook(lambda module, given: pictures.extend(given))
    loaded.model.register_forward_pre_hook(
        lambda module, given, named: prompts.append(named["input_ids"]), with_kwargs=True
    )
    example = Example("Where does this person live?", "Riga", image=tiny.picture(1, (40, 40)))
    answers(loaded.model, loaded.encoder, [example], 2)
    expected = loaded.encoder.batch([example], with_answers=False).inputs
    assert torch.equal(pictures[0], expected["pixel_values"])
    assert torch.equal(prompts[0], expected["input_ids"])
    assert int((prompts[0] == loaded.processor.image_token_id).sum()) > 1
