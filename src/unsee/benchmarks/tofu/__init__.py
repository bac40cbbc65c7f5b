"""TOFU: questions in words about fictitious authors (arXiv 2401.06121)."""

from unsee.benchmarks.spec import BenchmarkSpec
from unsee.benchmarks.tofu import check, load
from unsee.benchmarks.tofu.columns import COLUMNS, SHARES

SPEC = BenchmarkSpec(
    name="tofu",
    title="TOFU",
    paper="Maini et al. 2024, arXiv 2401.06121",
    splits=tuple(f"forget{share}" for share in SHARES),
    split="forget10",
    requests=("textual",),
    request="textual",
    columns=COLUMNS,
    load=load.load_tofu,
    findings=check.findings,
    damage=check.damage,
)
