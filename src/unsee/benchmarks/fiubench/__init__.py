"""FIUBench: faces of people who do not exist, and what is private about them (arXiv 2411.03554)."""

from unsee.benchmarks.fiubench import check, load, score
from unsee.benchmarks.fiubench.columns import COLUMNS, FORGET_LISTS, SOMETIMES
from unsee.benchmarks.spec import BenchmarkSpec

SPEC = BenchmarkSpec(
    name="fiubench",
    title="FIUBench",
    paper="Ma et al. 2024, arXiv 2411.03554",
    splits=FORGET_LISTS,
    split="forget5",
    requests=("visual",),
    request="visual",
    columns=COLUMNS,
    load=load.load_fiubench,
    findings=check.findings,
    damage=check.damage,
    score=score.published_scores,
    sometimes=SOMETIMES,
)
