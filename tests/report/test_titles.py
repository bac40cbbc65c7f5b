"""What a page is called: what was forgotten, and by which model, in words."""

from __future__ import annotations

import pytest

from unsee.data import Example
from unsee.data.example import AnswerSpan
from unsee.report.titles import forgotten, model_name

DIGEST = "7f3c0f9b2d1e4a5b6c7d8e9f0a1b2c3d4e5f6071"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("HuggingFaceTB/SmolVLM-256M-Instruct", "SmolVLM-256M-Instruct"),
        (f"/cache/hub/models--llava-hf--llava-1.5-7b-hf/snapshots/{DIGEST}", "llava-1.5-7b-hf"),
        (f"/cache/hub/models--gpt2/snapshots/{DIGEST}/", "gpt2"),
        (f"/cache/world/{DIGEST[:16]}/base", "base"),
        ("/runs/ada/model", "ada"),
        (f"/trainings/clear/checkpoint-300/{DIGEST}", "clear"),
        (f"/{DIGEST}", "a model"),
    ],
)
def test_a_model_has_the_name_that_people_gave_it(source: str, name: str) -> None:
    assert model_name(source) == name


def test_a_model_in_the_folder_where_one_stands_is_called_like_the_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("smolvlm", numbered=False)
    monkeypatch.chdir(folder)
    assert model_name(".") == model_name("model") == "smolvlm"


def about(*subjects: str | None) -> list[Example]:
    return [Example("Who is this?", "Ada", subject=subject) for subject in subjects]


def test_what_was_forgotten_is_named_and_many_are_counted() -> None:
    assert forgotten(about("Ada", "Ada"), "f.jsonl") == "Ada"
    assert forgotten(about("Ada", "Ben", "Ada", "Cleo"), "f.jsonl") == "Ada, Ben and Cleo"
    assert forgotten(about(*"ABCDEF"), "f.jsonl") == "A, B and 4 others"
    assert forgotten(about(None, None), "data/people.jsonl") == "2 rows of people.jsonl"
    assert forgotten(about("Ada", None), "data/people.jsonl") == "Ada and 1 further row"
    assert forgotten(about("شمس", "Ada"), "f.jsonl") == "\u2068شمس\u2069 and Ada"


def test_what_is_hallucinated_has_no_name() -> None:
    spans = (AnswerSpan(0, 5, "negative"),)
    rows = [Example("Describe it.", "A cat.", subject="0001.jpg", spans=spans)] * 2
    assert forgotten(rows, "spans.jsonl") == "what it hallucinates in 2 captions"
