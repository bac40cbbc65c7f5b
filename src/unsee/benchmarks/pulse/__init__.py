"""PULSE: people whom a model knows from elsewhere, asked to be forgotten at once or request by request."""

from unsee.benchmarks.mllmu.check import findings
from unsee.benchmarks.pulse import load, score
from unsee.benchmarks.pulse.gate import RULE, known, questions
from unsee.benchmarks.spec import BenchmarkSpec, Gate

SPEC = BenchmarkSpec(
    name="pulse",
    title="PULSE on MLLMU-Bench's celebrities",
    paper="Kawakami et al. 2025, arXiv 2507.01271",
    splits=(load.SPLIT,),
    split=load.SPLIT,
    requests=("both", "visual", "textual"),
    request="both",
    columns=load.COLUMNS,
    load=load.load_pulse,
    findings=findings,
    damage=load.damage,
    score=score.published_scores,
    gate=Gate(RULE, questions, known),
)
