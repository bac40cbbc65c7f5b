"""The page in a browser, where there is one: what is printed, and what its filter shows."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.report.samples import Page
from tests.report.sections.test_dozen import mixed
from unsee.report import render

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium here")]


def browse(html: str, folder: Path, *arguments: str) -> str:
    page = folder / "page.html"
    page.write_text(html, "utf-8")
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command = [str(BROWSER), *quiet, f"--user-data-dir={folder / 'profile'}", *arguments, page.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def test_a_page_with_hundreds_of_answers_is_printed_on_a_few_sheets(tmp_path: Path) -> None:
    browse(render(mixed(people=60, each=10)), tmp_path, f"--print-to-pdf={tmp_path / 'page.pdf'}")
    sheets = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes()))
    assert 2 <= sheets <= 6


@pytest.mark.parametrize("kind", ["still said", "lost"])
def test_what_went_wrong_is_found_by_a_link_and_by_the_filter(tmp_path: Path, kind: str) -> None:
    click = f"document.querySelector('[data-show=\"{kind}\"]').click()"
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", render(mixed()))
    page = Page(browse(html.replace("</body>", f"<script>{click}</script></body>"), tmp_path, "--dump-dom"))
    questions = [attributes for _, attributes in page.tags if "data-k" in attributes]
    assert {one["data-k"] for one in questions if "hidden" not in one} == {kind}
    assert all("hidden" in one for one in questions if one["data-k"] != kind)
    assert f"{sum(one['data-k'] == kind for one in questions)} questions" in page.words
    assert all("open" in one for one in page.all("details") if one.get("class") == "fold")


def test_the_policy_lets_our_script_run(tmp_path: Path) -> None:
    page = Page(browse(render(mixed()), tmp_path, "--dump-dom"))
    assert not [one for _, one in page.tags if one.get("id") == "filter" and "hidden" in one]
