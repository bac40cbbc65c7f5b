"""Somebody else's code is interrupted when it takes too long, and only then."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import tiny
from unsee.errors import InputError
from unsee.vlm import load
from unsee.vlm.patience import OutOfPatience, at_most


def spin() -> None:
    while True:
        pass


def test_what_takes_too_long_is_interrupted_in_any_thread() -> None:
    def impatient() -> str:
        try:
            with at_most(0.05):
                spin()
        except OutOfPatience:
            return "interrupted"
        return "never here"

    assert impatient() == "interrupted"
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(impatient).result(timeout=20) == "interrupted"


def test_what_is_quick_is_left_alone_for_good() -> None:
    with at_most(0.05):
        found = sum(range(1000))
    time.sleep(0.2)
    assert found == 499_500


def test_a_template_that_never_ends_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unsee.vlm.template.PATIENCE", 0.3)
    tiny.save(tiny.llava(), tmp_path)
    loops = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
    (tmp_path / "chat_template.jinja").write_text(loops)
    with pytest.raises(InputError, match=r"chat template: it has not written one question .* after 0\.3 s"):
        load(tmp_path, device="cpu")
