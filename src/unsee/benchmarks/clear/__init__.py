"""CLEAR: 200 fictitious people, with photographs and in words (arXiv 2410.18057)."""

from unsee.benchmarks.clear import check, load, score
from unsee.benchmarks.clear.columns import COLUMNS, SHARES
from unsee.benchmarks.spec import BenchmarkSpec

SPEC = BenchmarkSpec(
    name="clear",
    title="CLEAR",
    paper="Dontsov et al. 2024, arXiv 2410.18057",
    splits=tuple(f"forget{share}" for share in SHARES),
    split="forget10",
    requests=("visual", "textual", "both"),
    request="visual",
    columns=COLUMNS,
    load=load.load_clear,
    findings=check.findings,
    damage=check.damage,
    score=score.published_scores,
)
