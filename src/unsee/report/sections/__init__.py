"""The sections of the pages. Each is a module here and a template beside it, and is found by being here.

Which page a section stands on is known from what its `prepare` takes, and where on it from its `place`.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final

from unsee.report.contents import Report
from unsee.report.hallucination import HallucinationReport
from unsee.report.section import Section

_ALL: Final[list[Section[Any, Any]]] = [
    import_module(f"{__name__}.{module.name}").SECTION for module in iter_modules(__path__)
]


def _about(source: type) -> tuple[Section[Any, Any], ...]:
    """The sections of the page about such a thing, in their order."""
    return tuple(sorted((section for section in _ALL if section.about is source), key=lambda section: section.place))


UNLEARNING: Final[tuple[Section[Report, Any], ...]] = _about(Report)
HALLUCINATION: Final[tuple[Section[HallucinationReport, Any], ...]] = _about(HallucinationReport)
