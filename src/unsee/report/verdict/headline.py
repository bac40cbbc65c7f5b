"""The whole result of a page in one to three sentences."""

from __future__ import annotations

from unsee.report.contents import Report
from unsee.report.verdict.verdict import Verdict, unknown, verdict
from unsee.system.wording import isolated, listed, short

_GONE = ("collapsed", "lost some")  # with other knowledge gone, nobody wonders at too much forgetting


def headline(report: Report) -> str:
    """The whole result in one to three sentences."""
    verdicts = [verdict(report, name) for name in report.methods]
    if not verdicts:
        return "No unlearned model is on this page."
    if report.of_role("gold") is None:
        return " ".join(f"{label_of(report, v)}: {v.sentence}" for v in verdicts)
    if all(v.forgetting == "little to forget" for v in verdicts):
        return verdicts[0].forgetting_sentence
    winners = [v for v in verdicts if v.success]
    never = "never saw them" if report.kind == "person" and report.request == "visual" else "never learned it"
    if winners:
        things = {"visual": "the photographs", "textual": "the facts", "both": "the photographs and the facts"}
        thing = things.get(report.request or "", "what was to go") if report.kind == "person" else "what was to go"
        first = f"{_list(report, winners)} forgot {thing} about as well as a model that {never}, and kept the rest."
    else:
        first = f"No method both forgot like a model that {never} and kept the rest."
    hallucinating = [v for v in verdicts if v.hallucinating == "hallucinates more"]
    but = [f"{_list(report, hallucinating)} hallucinated more than base."] if hallucinating else []
    unsure = "" if all(v.sure for v in winners) else "The intervals are wide: more questions are needed to be sure."
    missed = _misses(report, [v for v in verdicts if not v.success])
    back = [f"{label_of(report, v)}: {v.after_sentence}" for v in verdicts if v.after_sentence]
    return " ".join(filter(None, [first, unsure, *missed, *back, *but, unknown(report)]))


def _misses(report: Report, verdicts: list[Verdict]) -> list[str]:
    """One sentence for each way of missing, with the methods that missed so."""
    answering = [v for v in verdicts if v.forgetting != "no longer answers"]
    moved = [v for v in answering if not v.condition]
    ways = {
        "no longer answered.": [v for v in verdicts if v.forgetting == "no longer answers"],
        "did not move at all.": [v for v in answering if v.condition == "unmoved"],
        "answered everything alike.": [v for v in answering if v.condition == "answers alike"],
        "destroyed other knowledge.": [v for v in answering if v.keeping == "collapsed"],
        "lost other knowledge.": [v for v in answering if v.keeping == "lost some"],
        "may have lost other knowledge, which is not shown.": [v for v in answering if v.keeping == "not shown"],
        "still knew too much.": [v for v in moved if v.forgetting == "less than gold"],
        "forgot more than gold.": [v for v in moved if v.forgetting == "more than gold" and v.keeping not in _GONE],
    }
    return [f"{_list(report, missed)} {way}" for way, missed in ways.items() if missed]


def _list(report: Report, verdicts: list[Verdict]) -> str:
    return listed([label_of(report, v) for v in verdicts])


def label_of(report: Report, one: Verdict) -> str:
    return isolated(short(report.models[one.model].label, 60))
