"""What a section of a page is: a title, a template, and the function that prepares what the template shows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, get_type_hints

Source = TypeVar("Source")  # what the page is about: a `Report`, or a `HallucinationReport`
Values = TypeVar("Values")  # what the template gets, under the name `this`


@dataclass(frozen=True)
class Section(Generic[Source, Values]):
    """One part of a page. What has to be worked out is worked out by `prepare`; the template only writes it down."""

    anchor: str  # the page may be entered here, at "h-ANCHOR"
    title: str | Callable[[Values], str]  # a function where it depends on what is shown
    template: str  # of `sections/`, without its ending
    prepare: Callable[[Source], Values | None]  # None: the page goes without
    style: str = ""  # class of the element
    place: float = math.inf  # on the page, among the others: least first

    @property
    def about(self) -> type:
        """What the page is about that it stands on: the type of what `prepare` takes."""
        source: type = next(iter(get_type_hints(self.prepare).values()))
        return source

    def titled(self, values: Values) -> str:
        """The heading over these values."""
        return self.title if isinstance(self.title, str) else self.title(values)
