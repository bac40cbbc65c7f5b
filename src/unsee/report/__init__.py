"""Scores and records in, one self-contained HTML page out."""

from unsee.evaluation.results import Score
from unsee.report.contents import Answer, CurvePoint, ModelResult, ProbeInfo, Report, Subject
from unsee.report.page import render
from unsee.report.photo import photo_data_uri
from unsee.report.verdict import Verdict, headline, verdict

__all__ = [
    "Answer",
    "CurvePoint",
    "ModelResult",
    "ProbeInfo",
    "Report",
    "Score",
    "Subject",
    "Verdict",
    "headline",
    "photo_data_uri",
    "render",
    "verdict",
]
