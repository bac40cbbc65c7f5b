"""The pages: a report in, one HTML file out that opens without a server or a network.

A page is a frame around a choice of sections. All text is escaped by the template engine; the only script is our own,
named by its hash in the page's Content-Security-Policy, so that nothing which a model or a data set says can run or
load anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from unsee.report.contents import Report, Subject
from unsee.report.hallucination import HallucinationReport
from unsee.report.section import Section, Source
from unsee.report.sections import HALLUCINATION, UNLEARNING
from unsee.system import wording

FACES = 12  # subjects at the head of the page


@dataclass(frozen=True)
class Frame:
    """What stands around the sections of a page."""

    kind: str  # what the page is, in two words
    title: str
    created: str
    lead: str = ""
    subjects: Sequence[Subject] = ()
    further_subjects: int = 0
    on_paper: str = ""  # what is said at the foot of a printed page alone
    styles: Sequence[str] = ("page.css",)
    script: str = ""  # one of our own files; empty for none


def render(report: Report) -> str:
    """Draw the page of unlearned models.

    Args:
        report: what it shows.

    Returns:
        HTML that stands alone, to be written as UTF-8.
    """
    frame = Frame(
        "unlearning report",
        report.title,
        report.created,
        report.lead,
        report.subjects[:FACES],
        max(0, len(report.subjects) - FACES),
        "Of the answers, a dozen are printed. More are in the page itself, and all of them in the records of the run.",
        script="page.js",
    )
    return _draw(frame, UNLEARNING, report)


def render_hallucination(report: HallucinationReport) -> str:
    """Draw the page about hallucinated objects: HTML that stands alone, to be written as UTF-8."""
    frame = Frame("hallucination report", report.title, report.created, styles=("page.css", "hallucination.css"))
    return _draw(frame, HALLUCINATION, report)


class _Shown(NamedTuple):
    """A section with its text."""

    anchor: str
    title: str
    style: str
    body: Markup


def _draw(frame: Frame, sections: Iterable[Section[Source, Any]], source: Source) -> str:
    script = _file(frame.script) if frame.script else ""
    return (
        _templates()
        .get_template("page.html.j2")
        .render(
            frame=frame,
            sections=[shown for section in sections if (shown := _shown(section, source))],
            css=Markup("\n".join(_file(name) for name in frame.styles)),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def _shown(section: Section[Source, Any], source: Source) -> _Shown | None:
    """A section as it stands on the page, or None where it has nothing to show."""
    values = section.prepare(source)
    if values is None:
        return None
    template = _templates().get_template(f"sections/{section.template}.html.j2")
    return _Shown(section.anchor, section.titled(values), section.style, Markup(template.render(this=values)))


def _file(name: str) -> str:
    """One of our own files. Its last line break goes, so that what is hashed is what stands between the tags."""
    return files("unsee.report").joinpath(name).read_text("utf-8").strip()


class Folded(NamedTuple):
    """The start of a long text, and how much there is of it; the text itself and nothing more where it is short."""

    start: str
    more: str


def folded(text: str, most: int) -> Folded:
    """A text in view: its first characters, and "all 10,000 characters" where there are more."""
    return Folded(text, "") if len(text) <= most else Folded(f"{text[:most]}…", f"all {len(text):,} characters")


@lru_cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("unsee", "report"),
        autoescape=True,
        finalize=wording.visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    functions = (wording.plain, wording.short, wording.percent, wording.duration, wording.flat, folded)
    environment.filters.update({function.__name__: function for function in functions})
    return environment
