"""Inline SVG elements, escaped. The page's style sheet colours them, so they follow light, dark and print."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from unsee.system.wording import plain


def element(name: str, *content: str, **attributes: str | float) -> Markup:
    """One element: `element("text", "a < b", x=3, class_="small")`.

    Content that is not Markup is made plain and escaped. Attribute names lose a trailing underscore and
    turn the others into hyphens; floats keep one decimal.
    """
    written = (
        Markup('{}="{}"').format(
            key.rstrip("_").replace("_", "-"), round(value, 1) if isinstance(value, float) else value
        )
        for key, value in attributes.items()
    )
    opening = Markup(" ").join([Markup(name), *written])
    return Markup("<{0}>{1}</{2}>").format(
        opening,
        Markup("").join(part if isinstance(part, Markup) else escape(plain(part)) for part in content),
        Markup(name),
    )


def drawing(ident: str, size: tuple[int, int], title: str, description: str, parts: Iterable[Markup]) -> Markup:
    """A whole SVG that a screen reader announces with its title and description."""
    width, height = size
    return element(
        "svg",
        element("title", title, id=f"{ident}-title"),
        element("desc", description, id=f"{ident}-desc"),
        *parts,
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_labelledby=f"{ident}-title {ident}-desc",
    )
