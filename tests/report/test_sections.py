"""Sections: each a module and a template beside it, and no template works anything out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, nodes

from tests.report.samples import Page, full, judged
from unsee.report import Report, render
from unsee.report.section import Section
from unsee.report.sections import HALLUCINATION, UNLEARNING

REPORT = Path(str(files("unsee.report")))
TEMPLATES = sorted(REPORT.rglob("*.j2"))
WORKED_OUT = (
    *(nodes.Assign, nodes.AssignBlock, nodes.Getitem, nodes.Slice, nodes.Concat, nodes.Dict, nodes.List),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow, nodes.Neg),
)
FILTERS = {"short", "plain", "percent", "flat", "folded", "items", "length"}  # how a value is written


@pytest.mark.parametrize("path", [*TEMPLATES, *sorted(REPORT.rglob("*.css"))], ids=lambda path: path.name)
def test_no_line_of_a_template_or_style_sheet_is_long(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert not [number for number, line in enumerate(lines, 1) if len(line) > 120]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_loop_and_choose_and_work_nothing_out(path: Path) -> None:
    assert list(worked_out(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "text", ["{{ a + 1 }}", "{{ a[0] }}", "{{ a.b() }}", "{% set a = 1 %}", "{{ a|selectattr('b') }}"]
)
def test_a_template_that_works_something_out_is_found(text: str) -> None:
    assert list(worked_out(text))


def worked_out(text: str) -> Iterator[str]:
    """What a template computes: arithmetic, names of its own, calls of anything but macros."""
    tree = Environment().parse(text)
    macros = {macro.name for macro in tree.find_all(nodes.Macro)}
    macros |= {str(name) for imported in tree.find_all(nodes.FromImport) for name in imported.names}
    for node in tree.find_all(WORKED_OUT):
        yield f"line {node.lineno}: {type(node).__name__}"
    for call in tree.find_all(nodes.Call):
        if not (isinstance(call.node, nodes.Name) and call.node.name in macros):
            yield f"line {call.lineno}: a call"
    for used in tree.find_all(nodes.Filter):
        if used.name not in FILTERS:
            yield f"line {used.lineno}: {used.name}"


def test_every_section_has_a_template_of_its_own_and_every_template_a_section() -> None:
    sections: list[Section[Any, Any]] = [*UNLEARNING, *HALLUCINATION]
    assert sorted(section.template for section in sections) == sorted(
        path.name.removesuffix(".html.j2") for path in (REPORT / "sections").glob("*.j2")
    )


@pytest.mark.parametrize("sections", [UNLEARNING, HALLUCINATION])
def test_a_page_can_be_entered_at_each_of_its_sections(sections: tuple[Section[Any, Any], ...]) -> None:
    anchors = [section.anchor for section in sections]
    assert len(set(anchors)) == len(anchors)


@pytest.mark.parametrize(
    ("sections", "first_and_last"), [(UNLEARNING, ("result", "made")), (HALLUCINATION, ("result", "again"))]
)
def test_sections_are_found_by_being_there_and_each_has_a_place(
    sections: tuple[Section[Any, Any], ...], first_and_last: tuple[str, str]
) -> None:
    places = [section.place for section in sections]
    assert places == sorted(set(places))
    assert max(places) < math.inf
    assert (sections[0].anchor, sections[-1].anchor) == first_and_last


def test_sections_stand_in_their_order() -> None:
    headings = [attributes["id"] for attributes in Page(render(full())).all("h2")]
    assert headings == [f"h-{section.anchor}" for section in UNLEARNING]


def test_a_section_with_nothing_to_show_is_left_out() -> None:
    def anchors(report: Report) -> set[str]:
        return {str(attributes["id"]) for attributes in Page(render(report)).all("h2")}

    everything = anchors(full())
    assert everything - anchors(judged([0.1, 0.9])) == {
        *("h-dozen", "h-metrics", "h-curves", "h-answers", "h-stopping")
    }
    assert everything - anchors(full().model_copy(update={"curves": {}})) == {"h-curves"}
    assert everything - anchors(full().model_copy(update={"endings": {}})) == {"h-stopping"}
    assert "h-plot" not in anchors(judged([0.1, 0.9]).model_copy(update={"models": {}}))
    assert "h-scores" not in anchors(Report(title="t", models={}, probes=[]))


def test_the_page_shows_where_a_training_stopped_and_which_state_was_kept() -> None:
    page = Page(render(full()))
    assert "Stopped at step 20, as what was asked for showed on development rows" in page.words
    assert "The model is that of step 20: forget 0 %, retain 96 %." in page.words
    assert "50 forget, 48 retain rows (forget held out, retain trained on)" in page.words
    assert "kept: step 20; forget: 1 at first, 0 at last; retain: 1 at first, 0.96 at last" in page.words
