"""What a page or an advice tells of a method, kept with a run so that its code need not be run to read it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from unsee.methods.fit import NAME
from unsee.methods.method import Method, Needs
from unsee.methods.registry import source_of


@dataclass(frozen=True)
class MethodCard:
    """A method without its code.

    Attributes:
        name: its own short one, by which folders, tables and pages call it.
        paper: who published it.
        needs: what it is trained on, as it was set.
        source: the file or package that it is from; empty for one of this package.
    """

    name: Annotated[str, Field(pattern=rf"^{NAME.pattern}$")]
    paper: str
    needs: Needs
    source: str = ""


def card_of(method: Method, given: str) -> MethodCard:
    """The card of a method as it is set.

    Args:
        method: with its hyper-parameters.
        given: what the settings call it: a name or a place.
    """
    return MethodCard(method.name, method.paper, method.needs, source_of(given))
