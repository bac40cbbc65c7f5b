"""What this does not prove: the limits of the numbers, as far as the report itself tells."""

from __future__ import annotations

from unsee.report.contents import Report
from unsee.report.section import Section
from unsee.report.verdict import judged

ALWAYS = (
    "Each question was asked once and the likeliest answer taken. A model that answers wrongly here may still give "
    "a fact away when it is asked often, or in other words.",
    "Nobody tried to bring the knowledge back: by training a little more, by rounding the weights, or with prompts "
    "made to trick the model. Knowledge can be hidden rather than gone.",
    "The intervals cover the choice of subjects and questions. Another training run with another seed may land "
    "outside them.",
)
JUDGED_BY_A_SCORER = (
    "What is real and what is hallucinated was judged by a scorer that may be wrong, in what base had said: anything "
    "new, or under another name, was not judged."
)
ON_TRAINING_ROWS = (
    "Some scores were measured on rows that the method trained on. They say little about other photographs or other "
    "wordings."
)
ON_TRAINING_PICTURES = (
    "Some scores were measured on photographs that the method trained on, under other questions. They say little about "
    "other photographs."
)
WITHOUT_GOLD = "No gold model was given, so nobody knows how much a model would still get right that never saw this."


def prepare(report: Report) -> list[str]:
    """What the numbers do not show, in full sentences: what is wrong with this report in particular comes first."""
    probes = [probe for forget in (True, False) for probe in judged(report, forget=forget)]
    particular = {
        JUDGED_BY_A_SCORER: len(report.answered) < len(report.probes),
        ON_TRAINING_ROWS: any(probe.trained_on for probe in probes),
        ON_TRAINING_PICTURES: any(probe.held_out == 1 for probe in probes),
        WITHOUT_GOLD: report.of_role("gold") is None and bool(report.answered),
    }
    return [*(sentence for sentence, applies in particular.items() if applies), *ALWAYS, *report.notes]


SECTION = Section("limits", "What this does not prove", "limits", prepare, place=90)
