"""JSON and YAML say what a person reads in them, or end in one line, however much they would unfold to."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tests.data.conftest import refused
from unsee.system import strict
from unsee.system.strict import MAX_YAML, dump_yaml, parse_json, parse_yaml

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10),
        ("08", 8),
        ("+3", 3),
        ("0x10", 16),
        ("0o10", 8),
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1:30", "1:30"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("2026-11-25", "2026-11-25"),
        ("true", True),
        ("null", None),
        ("", None),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("'010'", "010"),
    ],
)
def test_yaml_says_what_a_person_reads(text: str, value: object) -> None:
    found = parse_yaml(text, "run.yaml")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: {c: 2, c: 3}", "run.yaml, line 2: 'c' twice in one mapping; keep one"),
        ("1: a\n'1': b", "'1' twice in one mapping"),
        (LAUGHS, "unfolds to more than 100000 values"),
        ("a: &a [*a]", "an alias of what it stands in"),
        ("[" * 1000 + "]" * 1000, "more than 64 levels deep"),
        ("{a: " * 1000, "more than 64 levels deep"),
        ("- " * 1000, "more than 64 levels deep"),
        ("x" * (MAX_YAML + 1), "YAML of 500001 characters; at most 500000"),
        ("1" * 5000, "not YAML that can be read"),
        ("1e400", "larger than any number that can be kept"),
        ("? [1]\n: 2", "a key that is no word"),
        ("!!bool maybe", "not YAML that can be read"),
        ("!!float ''", "not YAML that can be read"),
        ("!!map [1]", "run.yaml"),
        ("!!python/object/apply:os.system [ls]", "not YAML (could not determine a constructor"),
        ("!!timestamp 2026-01-01", "not YAML (could not determine a constructor"),
        ("a: 1\n---\nb: 2", "not YAML (but found another document)"),
        ("\x00", "not YAML (special characters are not allowed)"),
        ("[1, 2", "run.yaml, line 1: not YAML (expected ',' or ']'"),
    ],
)
def test_yaml_that_is_wrong_or_unfolds_to_too_much_ends_in_one_line(text: str, problem: str) -> None:
    message = refused(parse_yaml, text, "run.yaml")
    assert message.startswith("run.yaml")
    assert problem in message


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc01:", min_size=1), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(values)
@example({"path": "1e-5", "seed": "010", "name": "0o7", "word": "yes", "rate": 1e-5, "time": "1:30", "no": "~"})
def test_what_is_written_is_read_back_by_this_reader_and_by_others(value: Any) -> None:
    text = dump_yaml({"value": value})
    assert parse_yaml(text, "run.yaml") == {"value": value}
    assert yaml.safe_load(text) == {"value": value}


@pytest.mark.parametrize("text", ["[" + "{}," * 60 + "{}]", "[" + "1," * 110 + "1]", '{"a": ' * 55, "[[1]," * 60])
def test_json_of_too_many_values_is_refused_before_it_is_parsed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parse_json("[" + "1," * 110 + "1]", "rows.json")
    monkeypatch.setattr(strict, "MAX_MARKS", 100)
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("it was parsed"))
    said = refused(parse_json, text, "rows.json")
    assert said == "rows.json: more than 100 commas, colons and brackets; split it into several files"


def test_commas_within_words_are_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict, "MAX_MARKS", 100)
    words = [", ,:[{" * 99, '",' * 300, "\\" * 50 + '",', "line\n,"]
    assert parse_json(json.dumps(words), "rows.json") == words


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1, "b": {"c": 2, "c": 3}}', "scores.json: 'c' twice in one object; keep one"),
        ('{"a": NaN}', "scores.json: NaN is no number; JSON has null for what is missing"),
        ("[1, -Infinity]", "-Infinity is no number"),
        ("1e999", "'1e999' is larger than any number that can be kept"),
        ("[1" + "0" * 400 + "]", "is larger than any number that can be kept"),
        ("9" * 5000, "JSON that cannot be read"),
        ("[" * 100_000, "JSON that cannot be read"),
        ('{"a":' * 100_000, "JSON that cannot be read"),
        ("[1,\n2,,]", "scores.json, line 2: broken JSON (Expecting value, column 3)"),
        ("x" * 10_000_000, "scores.json, line 1: broken JSON"),
    ],
)
def test_json_that_is_wrong_ends_in_one_line(text: str, problem: str) -> None:
    assert problem in refused(parse_json, text, "scores.json")
