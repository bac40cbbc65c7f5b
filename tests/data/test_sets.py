"""Sets do not overlap, have a stable fingerprint, and survive being written and read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.data.conftest import png, refused
from unsee.data import Example, Probe, check_sets, digest, load_examples, write_jsonl
from unsee.data.example import AnswerSpan

FACE, OTHER = png(), png((1, 2, 3))
FORGET = [Example("Who?", "Ada", image=FACE), Example("Where?", "Here", image=FACE)]
RETAIN = [Example("Who?", "Bob", image=OTHER), Example("Where?", "There")]


def test_sets_that_are_apart_pass() -> None:
    held_out = Probe("forget_vqa", [Example("Who?", "Ada", image=png(size=(2, 2))), Example("Who?", "Ada")])
    check_sets(FORGET, RETAIN, [held_out, Probe("train", FORGET, trained_on=True)])
    check_sets(FORGET, [], [])


def test_empty_forget_set() -> None:
    assert "the forget set is empty; it needs at least one example" in refused(check_sets, [], RETAIN, [])


@pytest.mark.parametrize("answer", ["Ada", "Bob"])
def test_overlap_names_count_and_rows(tmp_path: Path, answer: str) -> None:
    (tmp_path / "same.png").write_bytes(FACE)
    common = Example(" Who? ", answer, image=tmp_path / "same.png")
    message = refused(check_sets, FORGET, [*RETAIN, common], [])
    assert "overlap in 1 row with the same picture and question: retain row 3 = forget row 1; take them out" in message
    assert "2 rows" in refused(check_sets, FORGET, FORGET, [])


def test_overlap_of_questions_in_words() -> None:
    assert "retain row 1 = forget row 1" in refused(check_sets, [Example("a?", "b")], [Example("a?", "c")], [])


@pytest.mark.parametrize(("trained", "name"), [(FORGET[1], "forget row 2"), (RETAIN[1], "retain row 2")])
def test_probe_on_training_rows(trained: Example, name: str) -> None:
    probe = Probe("vqa", [Example("new?", "x"), trained])
    message = refused(check_sets, FORGET, RETAIN, [probe])
    assert f"probe 'vqa' is not held out, 1 of its 2 rows are trained on: row 2 = {name}; " in message
    assert "name the probe under trained_on" in message


def test_probe_on_rows_that_a_mask_protects() -> None:
    probe, preserve = Probe("qa", [Example("new?", "x"), RETAIN[1]]), [RETAIN[1]]
    message = refused(check_sets, FORGET, RETAIN[:1], [probe], preserve)
    assert "1 of its 2 rows are protected by the saliency mask: row 2 = preserve row 1; " in message
    check_sets(FORGET, RETAIN[:1], [Probe("qa", probe.examples, trained_on=True)], preserve)


def test_digest_depends_on_content_and_order_alone(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.png").write_bytes(FACE)
    moved = [replace(FORGET[0], image=tmp_path / "elsewhere.png", id="17"), FORGET[1]]
    assert digest(moved) == digest(FORGET)
    assert digest(FORGET[::-1]) != digest(FORGET)
    for change in ({"question": "x"}, {"answer": "x"}, {"subject": "x"}, {"image": OTHER}, {"image": None}):
        assert digest([replace(FORGET[0], **change), FORGET[1]]) != digest(FORGET)


def test_digest_is_the_same_on_every_machine() -> None:
    # printf '{"answer": "\\u00c4", "image": null, "question": "q"}\n' | sha256sum
    expected = "69390a4449fb758a9b6a55e085d7c61dd393756ea532de4848d91363a8cb53b9"
    assert digest([Example("q", "Ä")]) == expected


def test_written_examples_come_back(tmp_path: Path) -> None:
    (tmp_path / "face.png").write_bytes(FACE)
    full = Example(
        "Who?", "Ada", image=OTHER, subject="Ada", fact="name", id="1",
        paraphrased_answers=("A",), perturbed_answers=("B", "C"), choices=("Ada", "B"), answer_keywords=("Ada",),
    )  # fmt: skip
    examples = [full, replace(full, image=tmp_path / "face.png"), replace(full, image=FACE), Example("a", "b")]
    write_jsonl(examples, tmp_path / "out/forget.jsonl")
    back = load_examples(tmp_path / "out/forget.jsonl")
    assert digest(back) == digest(examples)
    assert [replace(e, image=None) for e in back] == [replace(e, image=None) for e in examples]
    assert [e.image.read_bytes() if isinstance(e.image, Path) else e.image for e in back] == [OTHER, FACE, FACE, None]
    assert len(list((tmp_path / "out/images").iterdir())) == 2


def test_written_folder_can_be_moved(tmp_path: Path) -> None:
    write_jsonl(FORGET, tmp_path / "out/train.jsonl")
    (tmp_path / "out").rename(tmp_path / "moved")
    assert digest(load_examples(tmp_path / "moved")) == digest(FORGET)


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    missing = Example("a", "b", image=tmp_path / "missing.png")
    assert "missing.png" in refused(write_jsonl, [missing], tmp_path / "out/a.jsonl")
    assert not (tmp_path / "out/a.jsonl").exists()


words = st.text(min_size=1).map(str.strip).filter(bool)  # white space around a text is no part of it


@settings(max_examples=60, deadline=None)
@given(question=words, answer=words, subject=words)
@example(question="😀 <b>&amp;</b> [red]x[/]", answer="a\u2028b\u2029c\x85d\r\n\te", subject='"\\\0')
@example(question="x" * 10_000, answer="\ufeff{'}", subject="\x1b[31m")
def test_any_text_survives(question: str, answer: str, subject: str) -> None:
    examples = [Example(question, answer, subject=subject), Example(answer, question)]
    with TemporaryDirectory() as folder:
        write_jsonl(examples, Path(folder) / "a.jsonl")
        assert load_examples(Path(folder) / "a.jsonl") == examples


def test_objects_come_back_even_if_there_are_none(tmp_path: Path) -> None:
    examples = [replace(FORGET[0], objects=objects) for objects in (None, (), ("dog", "wine glass"))]
    write_jsonl(examples, tmp_path / "a.jsonl")
    assert [back.objects for back in load_examples(tmp_path / "a.jsonl")] == [None, (), ("dog", "wine glass")]
    assert len({digest([example]) for example in examples}) == 3


def test_captions_keep_their_spans(tmp_path: Path) -> None:
    said = AnswerSpan(0, 5, "positive", 2.0, 33.4, ("cat",))
    spans = (said, AnswerSpan(6, 26, "negative"), AnswerSpan(0, 27, "sentence"))
    caption = Example("Describe the image.", "A cat, and a dog on a sofa.", image=OTHER, spans=spans)
    write_jsonl([caption], tmp_path / "spans.jsonl")
    (back,) = load_examples(tmp_path / "spans.jsonl")
    assert back.spans == spans
    assert digest([back]) == digest([caption]) != digest([replace(caption, spans=spans[:2])])
    assert digest([caption]) != digest([replace(caption, spans=(replace(said, phrases=("dog",)), *spans[1:]))])
