"""The page: a report in, one HTML file out that opens without a server or a network.

All text is escaped by the template engine; the only script is our own, named by its hash in the page's
Content-Security-Policy, so that nothing which a model or a data set says can run or load anything.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache, partial
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from unsee.report import answers, sample, view
from unsee.report.contents import Report
from unsee.report.inventing import checked
from unsee.report.judging import share_of
from unsee.report.verdict import headline, mark, name_of
from unsee.system import wording


def render(report: Report) -> str:
    """Draw the page.

    Args:
        report: what it shows.

    Returns:
        HTML that stands alone, to be written as UTF-8.
    """
    script = _file("page.js")
    return _template().render(
        report=report,
        headline=headline(report),
        standings=view.standings(report),
        dozen=sample.dozen(report),
        sample_seed=sample.SEED,
        plots=view.forget_retain_plots(report),
        panels=view.curve_panels(report),
        people=answers.people(report),
        left_out=answers.left_out(report),
        failure_of=partial(answers.kind_of_failure, report),
        checked=checked(report),
        checks_of=partial(view.checks_of, report),
        judged_of=partial(view.judged_of, report),
        probabilities=view.has_probabilities(report),
        probe_of={probe.name: probe for probe in report.probes},
        probe_index={probe.name: i for i, probe in enumerate(report.probes)},
        method_index={name: i for i, name in enumerate(report.methods)},
        counts=partial(view.counts, report),
        limits=view.limits(report),
        css=Markup(_file("page.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _file(name: str) -> str:
    """One of our own files. Its last line break goes, so that what is hashed is what stands between the tags."""
    return files("unsee.report").joinpath(name).read_text("utf-8").strip()


@lru_cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, finalize=wording.visible, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    functions = (wording.plain, wording.short, wording.percent, wording.points, wording.duration, wording.flat)
    for function in (*functions, wording.counted):
        environment.filters[function.__name__] = function
    environment.globals.update(
        mark=mark,
        name_of=name_of,
        share_of=share_of,
        verdict_signs=view.VERDICT_SIGNS,
        tone_of=answers.answer_tone,
        counted=view.counted,
        pictures_of=view.pictures_of,
    )
    return environment.from_string(_file("page.html.j2"))
