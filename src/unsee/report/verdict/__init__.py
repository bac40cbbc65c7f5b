"""What the numbers of a report say, in words and marks; pure functions of the report."""

from unsee.report.verdict.headline import headline
from unsee.report.verdict.marks import VERDICT_SIGNS, Mark, Sign, Tone, mark
from unsee.report.verdict.verdict import Verdict, judged, verdict

__all__ = ["VERDICT_SIGNS", "Mark", "Sign", "Tone", "Verdict", "headline", "judged", "mark", "verdict"]
