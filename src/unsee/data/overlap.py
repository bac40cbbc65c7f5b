"""What a probe shares with the training rows: subjects, which tell what it is for, and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from unsee.data.example import Example, Role
from unsee.data.pictures import image_hash

SPARED: dict[str, bool] = {"visual": False, "textual": True}  # request -> whether what it leaves alone has pictures


@dataclass(frozen=True, slots=True)
class PictureOverlap:
    """How many rows of a probe show a picture, and how many of these one that a training row shows too."""

    pictures: int
    trained_on: int


def picture_overlap(examples: Iterable[Example], training: Iterable[Sequence[Example]]) -> PictureOverlap:
    """Count the rows of a probe whose pictures training rows show, whatever is asked about them.

    The same picture is one whose encoded bytes are the same, under whatever name.

    Raises:
        InputError: if a picture cannot be read.
    """
    shown = [image_hash(row.image) for row in examples if row.image is not None]
    seen = {image_hash(row.image) for rows in training for row in rows if row.image is not None} if shown else set()
    return PictureOverlap(len(shown), sum(picture in seen for picture in shown))


def role_by_subject(examples: Sequence[Example], forget: Sequence[Example], request: str | None = None) -> Role | None:
    """What a probe is for, by whom its rows are about. Names of probes say nothing.

    A row is about what is to be forgotten if a forget row has its subject or, where it names none, its picture. It is
    about somebody else if all forget rows name their subjects and none of them is its own. A probe about what is to be
    forgotten is to go, unless the request leaves its kind alone (words, for a visual request; pictures, for a textual
    one). Without a request it has to be of a kind (with a picture or in words) that the forget rows have.

    Returns:
        None where that does not settle it: rows without a subject, rows about both, or of another kind.
    """
    is_about = _about(forget)
    about = {is_about(row) for row in examples}
    if about == {False}:
        return "keep"
    if about != {True}:
        return None
    kinds = {row.image is not None for row in examples}
    if request in SPARED:
        return "forget" if SPARED[request] not in kinds else "keep" if len(kinds) == 1 else None
    return "forget" if request or kinds <= {row.image is not None for row in forget} else None


def _about(forget: Sequence[Example]) -> Callable[[Example], bool | None]:
    """Whether a row is about what the forget rows are about; None where nothing tells."""
    names = {_name(row) for row in forget}
    pictures = {image_hash(row.image) for row in forget if row.image is not None}
    all_named = None not in names

    def is_about(row: Example) -> bool | None:
        name = _name(row)
        if name is None:
            return True if row.image is not None and image_hash(row.image) in pictures else None
        return True if name in names else False if all_named else None

    return is_about


def _name(row: Example) -> str | None:
    return " ".join(row.subject.split()).casefold() if row.subject else None
