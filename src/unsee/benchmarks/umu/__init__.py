"""UMU-Bench: every fact about a person in both modalities (NeurIPS 2025 Datasets and Benchmarks)."""

from unsee.benchmarks.profiles import SHARES
from unsee.benchmarks.spec import BenchmarkSpec
from unsee.benchmarks.umu import check, load, score
from unsee.benchmarks.umu.columns import COLUMNS, FOLDERS

SPEC = BenchmarkSpec(
    name="umu",
    title="UMU-Bench",
    paper="Wang et al., NeurIPS 2025, openreview.net/forum?id=M476xkfNXe",
    splits=tuple(f"forget_{share}" for share in SHARES),
    split="forget_5",
    requests=("both", "visual", "textual"),
    request="both",
    columns=COLUMNS,
    load=load.load_umu,
    findings=check.findings,
    damage=check.damage,
    score=score.published_scores,
    folders=FOLDERS,
)
