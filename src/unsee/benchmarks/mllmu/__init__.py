"""MLLMU-Bench: profiles of fictitious and of well-known people (arXiv 2410.22108)."""

from unsee.benchmarks.mllmu import check, load, score
from unsee.benchmarks.mllmu.columns import COLUMNS, SOMETIMES
from unsee.benchmarks.profiles import SHARES
from unsee.benchmarks.spec import BenchmarkSpec

SPEC = BenchmarkSpec(
    name="mllmu",
    title="MLLMU-Bench",
    paper="Liu et al. 2024, arXiv 2410.22108",
    splits=tuple(f"forget_{share}" for share in SHARES),
    split="forget_5",
    requests=("visual", "textual", "both"),
    request="visual",
    columns=COLUMNS,
    load=load.load_mllmu,
    findings=check.findings,
    damage=check.damage,
    score=score.published_scores,
    sometimes=SOMETIMES,
    training=load.TRAINING_REPOSITORY,
)
