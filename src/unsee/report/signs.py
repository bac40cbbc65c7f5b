"""How each outcome is marked at a glance; the words stand beside the mark."""

from __future__ import annotations

from typing import NamedTuple

from unsee.report.verdict import Tone


class Sign(NamedTuple):
    """A mark, whether it is good news, and the same in words."""

    glyph: str
    tone: Tone
    words: str


VERDICT_SIGNS: dict[str, Sign] = {
    "like gold": Sign("✓", "good", "forgot like gold"),
    "slightly more than gold": Sign("▽", "warn", "forgot slightly more than gold"),
    "slightly less than gold": Sign("△", "warn", "knows slightly more than gold"),
    "more than gold": Sign("▼", "warn", "forgot more than gold"),
    "less than gold": Sign("▲", "bad", "still knows too much"),
    "little to forget": Sign("\N{EN DASH}", "plain", "there was little to forget"),
    "fell": Sign("↓", "plain", "answers less of it"),
    "hardly fell": Sign("▲", "bad", "hardly forgot"),
    "kept": Sign("✓", "good", "kept the rest"),
    "not shown": Sign("?", "warn", "not shown that it kept the rest"),
    "no longer answers": Sign("✗", "bad", "no longer answers"),
    "unmoved": Sign("▲", "bad", "did not move"),
    "answers alike": Sign("?", "warn", "answers everything alike"),
    "lost some": Sign("▼", "bad", "lost other knowledge"),
    "collapsed": Sign("✗", "bad", "destroyed other knowledge"),
    "invents more": Sign("▲", "bad", "invents more than before"),
    "invents no more": Sign("✓", "good", "invents no more than before"),
    "says less": Sign("↓", "plain", "says less of what was judged invented"),
    "says less of both": Sign("\N{EN DASH}", "plain", "says less of what was judged real and invented alike"),
    "says less by brevity": Sign(
        "\N{EN DASH}", "plain", "says less of what was judged invented, at equal length no less"
    ),
    "says as much": Sign("▲", "bad", "still says what was judged invented"),
    "hardly names": Sign("✗", "bad", "hardly names what was judged real"),
    "unclear": Sign("\N{EN DASH}", "plain", "unclear whether it invents more"),
}
