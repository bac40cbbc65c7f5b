"""A class from outside is checked as the built-in ones are, and is told in one line what it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unsee.errors import InputError
from unsee.methods import METHODS, build, card_of, find, hyper_parameters
from unsee.methods.fit import check_fits
from unsee.methods.registry import code_of, in_full, source_of

FITTING = '''
from dataclasses import dataclass
from typing import Annotated, ClassVar

from typing_extensions import Doc

from unsee.losses.likelihood import gradient_ascent
from unsee.methods.method import Needs, Positive, Term, forget_of


@dataclass(frozen=True)
class Mine:
    """Ascent, as strong as one likes."""

    name: ClassVar[str] = "mine"
    paper: ClassVar[str] = "unpublished"
    needs: ClassVar[Needs] = Needs()

    strength: Annotated[Positive, Doc("of the ascent")] = 2.0

    def terms(self, batch, policy, reference):
        """strength * ascent(forget)."""
        yield Term("forget", self.strength * gradient_ascent(*policy.token_log_probs(forget_of(batch))).mean())
'''


def place(folder: Path, old: str = "", new: str = "") -> str:
    """A file with a method, some of it changed."""
    assert old in FITTING
    (folder / "mine.py").write_text(FITTING.replace(old, new) if old else FITTING)
    return f"{folder / 'mine.py'}:Mine"


@pytest.mark.parametrize("name", METHODS)
def test_every_built_in_method_fits(name: str) -> None:
    check_fits(METHODS[name], name)


def test_a_method_from_a_file_is_built_and_described_as_any_other(tmp_path: Path) -> None:
    method = place(tmp_path)
    built: Any = build(method, {"strength": "0.5"})
    assert built.strength == 0.5
    assert [one.meaning for one in hyper_parameters(method)] == ["of the ascent"]
    assert find(method) is find(method)
    card = card_of(build(method), method)
    assert (card.name, card.paper, card.source) == ("mine", "unpublished", method)
    with pytest.raises(InputError, match=r"^mine: strength=-1: input should be greater than 0"):
        build(method, {"strength": -1})
    with pytest.raises(InputError, match=r"^mine: no hyper-parameter 'strenth' \(did you mean 'strength'"):
        build(method, {"strenth": 1})


@pytest.mark.parametrize(
    ("old", "new", "lacks"),
    [
        ("class Mine:", "class Other:", "has no 'Mine'"),
        ("@dataclass(frozen=True)", "", "it must be a class under @dataclass(frozen=True)"),
        ("(frozen=True)", "", "its dataclass must be frozen=True"),
        ('"mine"', '"My Method"', "a_short_name"),
        ('"mine"', '"base"', "not base or gold"),
        ('"mine"', '"npo"', "has the name 'npo' of a built-in method"),
        ('    name: ClassVar[str] = "mine"\n', "", "a_short_name"),
        ('"unpublished"', '" "', "paper: ClassVar[str]"),
        ("= Needs()", "= None", "needs: ClassVar[Needs] = Needs(...)"),
        ("def terms", "def term", "def terms(self, batch, policy, reference)"),
        ("    def terms", "    terms = dict\n\n    def others", "def terms(self, batch, policy, reference)"),
        ("(self, batch, policy, reference)", "(self, batch)", "def terms(self, batch, policy, reference)"),
        ('    """Ascent, as strong as one likes."""\n', "", "a docstring that says what it does"),
        ('Annotated[Positive, Doc("of the ascent")]', "Positive", "strength: has no meaning"),
        ('Positive, Doc("of', 'float, Doc("of', "strength: has no range"),
        (
            'Annotated[Positive, Doc("of the ascent")]',
            "list",
            "strength: must be a float, an int or a Literal of words",
        ),
        (" = 2.0", "", "strength: has no default"),
        (" = 2.0", " = -2.0", "strength: its default -2.0 is refused: input should be greater than 0"),
        ("from dataclasses", "from __future__ import annotations\nfrom dataclasses", ""),
        ("ClassVar[Needs]", "'ClassVar[Nedes]'", "an import of 'Nedes'"),
    ],
)
def test_what_a_class_lacks_is_said_in_one_line(old: str, new: str, lacks: str, tmp_path: Path) -> None:
    method = place(tmp_path, old, new)
    if not lacks:
        find(method)
        return
    with pytest.raises(InputError) as caught:
        find(method)
    assert lacks in str(caught.value)
    assert "mine.py" in str(caught.value)


def test_everything_that_a_class_lacks_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from dataclasses import dataclass\n\n@dataclass\nclass Mine:\n    x: float\n")
    with pytest.raises(InputError) as caught:
        find(f"{tmp_path / 'mine.py'}:Mine")
    for lack in ("frozen=True", "a_short_name", "paper", "needs", "def terms", "a docstring", "x: has no default"):
        assert lack in str(caught.value)


def test_where_a_method_is_from_and_what_its_code_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = place(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert in_full("mine.py:Mine") == in_full("./mine.py:Mine") == method
    assert in_full("mine.py:Mine", tmp_path / "below") == f"{tmp_path / 'below' / 'mine.py'}:Mine"
    assert (in_full("npo"), source_of("npo"), code_of("npo")) == ("npo", "", "")
    before = code_of(method)
    place(tmp_path, "2.0", "3.0")
    assert len(before) == 64
    assert code_of(method) != before
