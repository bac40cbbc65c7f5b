"""A captioner that hallucinates objects, and EFUF that takes the habit from it: `unsee demo hallucination`.

It does what a user would do by hand with `unsee mine` and `unsee unlearn`, through the same code: the model captions
pictures that nobody has labelled, a CLIP that has never seen a caption says which of the named objects are there, and
EFUF lowers the others. Everything is left behind so that each step can be repeated. The truth about the pictures serves
to measure, and for one run that shows what perfect labels would have given.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from unsee.data import Probe, load_examples, write_jsonl
from unsee.demos.hallucination_outcome import Outcome
from unsee.evaluation.measure import measure_all
from unsee.metrics.lexicon import lexicon
from unsee.mining.calibration import from_groups, read_scored
from unsee.mining.captions import Decoding
from unsee.mining.mined import Left, Said
from unsee.mining.mining import mine
from unsee.mining.options import Mining
from unsee.mining.selection import Thresholds, select, write_thresholds
from unsee.mining.weighted_spans import CaptionRow, write_spans
from unsee.mining.windows import Grid
from unsee.report import assemble
from unsee.report.hallucination import HallucinationReport
from unsee.report.page import render_hallucination
from unsee.runs.folder import claimed
from unsee.system.files import write_bytes, write_json, write_text
from unsee.system.files import write_jsonl as write_rows
from unsee.system.typed import read_typed_rows
from unsee.system.workers import Job, run_all
from unsee.vlm import load
from unsee.world.scenes.captioners import Captioners, prepare_captioners
from unsee.world.scenes.captions import CAPTION_PROMPT, CaptionWorld
from unsee.world.scenes.scenes import OBJECTS, draw_scene

CAPTION_TOKENS = 48  # the longest caption of the world has fewer
BATCH = 120  # captions or questions per forward pass
GRID = Grid(patch=8)  # windows of 32 pixels: a quarter of a picture
STEPS, FORGET_BATCH = 200, 16
ORACLE, PROJECTOR = "efuf_oracle", "efuf_projector"  # in the report alone: perfect labels, and the paper's part


@dataclass(frozen=True)
class Way:
    """How a run of the demo unlearns; rates were found on the worlds of seeds 100 and 101."""

    negative: str
    learning_rate: float
    part: str = "language"
    oracle: bool = False


METHODS = {
    "efuf": Way("ascent", 2.5e-6),
    "efuf_unlikelihood": Way("span_unlikelihood", 1e-5),
    PROJECTOR: Way("ascent", 2e-5, "projector"),
    ORACLE: Way("span_unlikelihood", 1e-5, oracle=True),
}
LABELS = {
    "base": ("Base", "learnt from captions that mention what is usually there"),
    "gold": ("Gold", "learnt from clean captions"),
    "efuf": ("EFUF", "the published loss, gradient ascent on what is hallucinated; trains the language model"),
    "efuf_unlikelihood": ("EFUF, bounded", "unlikelihood of the phrase instead of ascent"),
    PROJECTOR: ("EFUF, projector", "the published loss; trains the projector, as the paper does"),
    ORACLE: ("EFUF, bounded, perfect labels", "an upper bound: told by the truth, not by CLIP"),
}
CONTROL = ("Base, merely shorter", "every caption loses the same share of its words, to the mean length of EFUF's")


def hallucination(out: Path, seed: int = 0) -> dict[str, Any]:
    """Find what a captioner hallucinates, unlearn it by EFUF, and measure both.

    Args:
        out: folder for `report.html`, `summary.json`, the data, the mining and one run folder a method. The demo of
            the same seed goes on where it was interrupted.
        seed: of the world and of every training.

    Returns:
        The content of `summary.json`.

    Raises:
        InputError: when `out` holds something else.
    """
    with claimed(out, {"demo": "hallucination", "seed": seed}):
        return _carried_out(out, seed)


def _carried_out(out: Path, seed: int) -> dict[str, Any]:
    clock = _Clock()
    world = CaptionWorld(seed)
    _write_data(world, out / "data")
    captioners = prepare_captioners(world)
    clock("training" if not captioners.from_cache else "looking up the trained models")
    _mine(captioners, out)
    clock("mining, and measuring base and gold")
    _unlearn(captioners, world, out, seed)
    clock("unlearning, and measuring again")
    outcome = Outcome(world, out)
    for name in LABELS:
        captions = [{"image_id": _image_id(n), "caption": text} for n, text in enumerate(outcome.captions(name))]
        write_rows(out / "captions" / f"{name}.jsonl", captions)
    summary = {
        "seed": seed,
        "seconds": round(clock.total(), 1),
        "models": {name: outcome.numbers(name) for name in LABELS if name not in (ORACLE, PROJECTOR)},
        "labels": outcome.labels(),
    }
    write_text(out / "report.html", render_hallucination(_report(outcome, captioners, clock, out, seed)))
    write_json(out / "summary.json", summary)
    return summary


class _Clock:
    """Seconds since the last stage."""

    def __init__(self) -> None:
        self.started = self.last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def __call__(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage], self.last = now - self.last, now

    def total(self) -> float:
        return time.perf_counter() - self.started


def _write_data(world: CaptionWorld, folder: Path) -> None:
    """Pictures to be mined, and held-out captions and questions, as files that every command reads."""
    pictures = folder / "pictures"
    for number, scene in enumerate(world.unlabelled):
        if not (path := pictures / f"{number:04d}.png").is_file():
            write_bytes(path, draw_scene(scene))
    probes = _probes(folder)
    if not probes["captions"].is_file():
        write_jsonl((next(iter(world.rows([scene], biased=False))) for scene in world.held_out), probes["captions"])
    if not probes["questions"].is_file():
        asked = (row for n, scene in enumerate(world.held_out) for row in world.questions(scene, draw_scene(scene), n))
        write_jsonl(asked, probes["questions"])
    write_text(folder / "objects.txt", "".join(f"{name}\n" for name in OBJECTS))
    write_json(folder / "gold.json", {_image_id(n): list(scene.objects) for n, scene in enumerate(world.held_out)})


def _probes(folder: Path) -> dict[str, Path]:
    return {name: folder / f"{name}.jsonl" for name in ("captions", "questions")}


def _image_id(number: int) -> str:
    return f"scene {number}"


def _mine(captioners: Captioners, out: Path) -> None:
    """Mine with the base, and measure base and gold beside it."""
    probes = {name: str(path) for name, path in _probes(out / "data").items()}
    jobs = [
        Job(f"{__name__}:mine_job", {"model": str(captioners.base), "clip": str(captioners.clip), "out": str(out)}),
        *(
            Job(f"{__name__}:measure_job", {"model": str(model), "probes": probes, "folder": str(out / name)})
            for name, model in (("records/base", captioners.base), ("records/gold", captioners.gold))
        ),
    ]
    run_all(jobs, "finding what is hallucinated", 3 * len(list((out / "data" / "pictures").iterdir())))


def mine_job(model: str, clip: str, out: str) -> None:
    """Captions, phrases and scores; thresholds from the scores alone; spans, and the same by the truth."""
    folder = Path(out)
    how = Mining(
        images=folder / "data" / "pictures",
        out=folder / "mining",
        scorer=clip,
        model=model,
        prompt=CAPTION_PROMPT,
        decoding=Decoding(CAPTION_TOKENS),
        lexicons=(str(folder / "data" / "objects.txt"),),
        grid=GRID,
        batch_size=BATCH,
        shard_size=BATCH,
    )
    mine(how)
    thresholds = from_groups(read_scored(how.out))
    write_thresholds(how.out / "thresholds.json", thresholds, how="two groups of scores")
    mine(replace(how, thresholds=thresholds))  # selects anew; the rest is there


def measure_job(model: str, probes: Mapping[str, str], folder: str) -> None:
    """Captions and answers of one model, into a folder of records."""
    asked = [Probe(name, load_examples(path)) for name, path in probes.items()]
    measure_all(load(model), asked, Path(folder), batch_size=BATCH, max_new_tokens=CAPTION_TOKENS)


def _unlearn(captioners: Captioners, world: CaptionWorld, out: Path, seed: int) -> None:
    oracle = out / "data" / "oracle.jsonl"
    write_spans(oracle, true_spans(world, out))
    jobs = []
    for name, way in METHODS.items():
        values = {
            "model": str(captioners.base),
            "forget": str(oracle if way.oracle else out / "mining" / "spans.jsonl"),
            "probes": {name: str(path) for name, path in _probes(out / "data").items()},
            "method": "efuf",
            "hyper_parameters": {"negative": way.negative},
            "out": str(out / "runs" / name),
            "parts": [way.part],
            "learning_rate": way.learning_rate,
            "max_steps": STEPS,
            "batch_size": FORGET_BATCH,
            "seed": seed,
            "eval_batch_size": BATCH,
            "max_new_tokens": CAPTION_TOKENS,
        }
        jobs.append(
            Job("unsee.demos.person:unlearn_job", {"values": values, "base_records": str(out / "records" / "base")})
        )
    run_all(jobs, f"unlearning in {len(jobs)} ways", STEPS * len(jobs))


def true_spans(world: CaptionWorld, out: Path) -> Iterator[CaptionRow]:
    """What perfect labels would make of the captions that were mined."""
    thresholds = Thresholds(0.5, 0.5, 0.99, unit="probability")
    extractor = lexicon([out / "data" / "objects.txt"])
    for path in sorted((out / "mining" / "captions").glob("*.jsonl")):
        for row in read_typed_rows(path, Said, Left):
            shown = world.unlabelled[int(Path(row["image"]).stem)].objects
            phrases = extractor.extract([row["caption"]])[0].phrases
            scores = [float(phrase.text.lower() in shown) for phrase in phrases]
            spans, sentence = select(row["caption"], phrases, scores, thresholds)
            if spans or sentence.role:
                image = out / "data" / "pictures" / row["image"]
                yield CaptionRow(image, row["question"], row["caption"], spans, sentence, "probability")


def _report(outcome: Outcome, captioners: Captioners, clock: _Clock, out: Path, seed: int) -> HallucinationReport:
    rows = [outcome.row(name, label, note) for name, (label, note) in LABELS.items()]
    rows.insert(1, outcome.control("efuf", *CONTROL))
    return HallucinationReport(
        title="Taking from a captioner what it hallucinates",
        created=assemble.now(),
        rows=rows,
        pictures=outcome.pictures({name: LABELS[name][0] for name in ("base", "efuf", "efuf_unlikelihood", "gold")}),
        plot=outcome.plot(),
        mined=outcome.mined(),
        commands=_commands(captioners, out, seed),
        settings={
            "seed": seed,
            "unlearning": {"steps": STEPS, "batch_size": FORGET_BATCH},
            **{name: asdict(way) for name, way in METHODS.items()},
            "base": str(captioners.base),
            "gold": str(captioners.gold),
            "clip": str(captioners.clip),
            "seconds": {stage: f"{seconds:.1f}" for stage, seconds in clock.seconds.items()},
        },
        environment=assemble.environment(),
    )


def _commands(captioners: Captioners, out: Path, seed: int) -> list[str]:
    """What a user would type."""
    way = METHODS["efuf"]
    objects, spans = out / "data" / "objects.txt", out / "mining" / "spans.jsonl"
    commands = (
        ["unsee", "demo", "hallucination", "--out", out, "--seed", seed],
        [
            *("unsee", "mine", "--images", out / "data" / "pictures", "--model", captioners.base),
            *("--scorer", captioners.clip, "--prompt", CAPTION_PROMPT, "--lexicon", objects, "--patch", GRID.patch),
            *("--thresholds", out / "mining" / "thresholds.json", "--out", "MINED"),
        ],
        [
            *("unsee", "unlearn", "--model", captioners.base, "--forget", spans, "--method", "efuf"),
            *("--parts", way.part, "--set", f"learning_rate={way.learning_rate}", "--set", f"max_steps={STEPS}"),
            *("--set", f"batch_size={FORGET_BATCH}", "--set", f"seed={seed}", "--out", "UNLEARNED"),
        ],
        [
            *("unsee", "metrics", "chair", "--captions", out / "captions" / "efuf.jsonl"),
            *("--gold", out / "data" / "gold.json", "--synonyms", objects),
        ],
    )
    return [shlex.join(map(str, command)) for command in commands]
