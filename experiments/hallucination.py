"""EFUF in the embedded world: the demo over seeds, and what its parts are worth.

    python experiments/hallucination.py --out hallucination --markdown docs/hallucination/tables.md

For every seed the hallucination demo runs, and for the first of them (--tables) further trainings on the same mined
spans: how hallucinated phrases are lowered, and in which part of the model; which parts of the objective are needed
(the ablation of the paper's Table 3); the weights; the thresholds. What is done is read, not run again. Every figure is
of captions and questions about 240 held-out scenes; the method has seen no label of any scene.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from unsee.cli.conduct import behave
from unsee.demos import hallucination as demo
from unsee.demos.hallucination_outcome import Outcome
from unsee.metrics.lexicon import lexicon
from unsee.mining.calibration import from_quantiles, read_scored
from unsee.mining.selection import Thresholds, read_thresholds, select
from unsee.mining.weighted_spans import CaptionRow, write_spans
from unsee.system.files import read_jsonl, write_json, write_jsonl
from unsee.system.workers import Job, run_all
from unsee.world.scenes.captioners import prepare_captioners
from unsee.world.scenes.captions import CaptionWorld

FULL = demo.METHODS["efuf"]  # what the variants differ from
RATES = {"projector": (2e-5, 1e-4), "language": (2.5e-6, 1e-5, 3e-5, 1e-4)}
Row = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """One training: how it differs from the demo's `efuf`."""

    name: str
    hyper_parameters: Mapping[str, Any] = field(default_factory=dict)
    method: str = "efuf"
    part: str = FULL.part
    learning_rate: float = FULL.learning_rate
    steps: int = demo.STEPS
    change: Callable[[Row], Row] | None = None  # of the mined rows
    share: float | None = None  # of phrases taken for real and for hallucinated, at either end of the scores


def main() -> None:
    """Run or read everything, print the tables, and write them as Markdown if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--tables", type=int, default=3, help="how many of the seeds the tables of variants are over")
    parser.add_argument("--out", type=Path, default=Path("hallucination"))
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    behave()
    summaries = [summary(options.out / f"seed-{seed}", seed) for seed in options.seeds]
    text = "\n".join([*seed_table(options.out, summaries), ""])
    if chosen := options.seeds[: options.tables]:
        found = {seed: variants(options.out / f"seed-{seed}", seed) for seed in chosen}
        text += "\n".join(["", *tables(found), ""])
    print(text)
    if options.markdown:
        command = f"python experiments/hallucination.py --seeds {' '.join(map(str, options.seeds))}"
        head = f"# Unlearning what is hallucinated: tables\n\nFigures of `{command} --tables {options.tables}`.\n\n"
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        options.markdown.write_text(head + text)


def summary(folder: Path, seed: int) -> dict[str, Any]:
    """The summary of one seed's demo."""
    path = folder / "summary.json"
    if not path.is_file():
        return demo.hallucination(folder, seed)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def seed_table(out: Path, summaries: list[dict[str, Any]]) -> list[str]:
    """One line per model and seed; the cut is against base, at equal length."""
    lines = ["## The demo, by seed", ""]
    lines += [
        "| model | seed | CHAIR_S | CHAIR_I | CHAIR_S matched | CHAIR_I matched | recall | words | POPE F1 | cut S "
        "| cut I | recall change |",
        "|---" * 12 + "|",
    ]
    ways: dict[str, Callable[[Outcome], dict[str, float]]] = {}
    for name in demo.LABELS:
        ways[name] = partial(Outcome.numbers, model=name)
    ways["base, merely shorter"] = partial(Outcome.merely_shorter, model="efuf")
    for name, numbers in ways.items():
        for one in summaries:
            outcome = Outcome(CaptionWorld(one["seed"]), out / f"seed-{one['seed']}")
            lines.append(f"| {name} | {one['seed']} | {' | '.join(_cells(numbers(outcome), one['models']['base']))} |")
    lines += ["", "Merely shorter: every caption of the base loses the same share of its words, to efuf's mean length."]
    lines += ["", "| seed | labels precision | labels recall | seconds |", "|---" * 4 + "|"]
    for one in summaries:
        labels = one["labels"]
        lines.append(f"| {one['seed']} | {labels['precision']:.3f} | {labels['recall']:.3f} | {one['seconds']:.0f} |")
    return lines


def _cells(found: Mapping[str, float], base: Mapping[str, float]) -> list[str]:
    keys = ("chair_s", "chair_i", "chair_s_matched", "chair_i_matched", "recall", "mean_words", "pope_f1")
    cuts = [1 - found[key] / base[key] for key in ("chair_s_matched", "chair_i_matched")]
    plain = [f"{found[key]:.1f}" if key == "mean_words" else f"{found[key]:.3f}" for key in keys]
    return [*plain, *(f"{100 * cut:.0f} %" for cut in cuts), f"{found['recall'] - base['recall']:+.3f}"]


NEGATIVES = {
    "ascent": ("efuf", {"negative": "ascent"}),
    "unlikelihood, by token": ("efuf", {"negative": "unlikelihood"}),
    "unlikelihood, by span": ("efuf", {"negative": "span_unlikelihood"}),
    "npo": ("efuf_npo", {}),
}
PUBLISHED = "everything, as published"


def _whole(row: Row) -> Row:
    """Captions with something hallucinated are unlearned as a whole; the others are kept as a whole."""
    hallucinated = any(span["role"] == "negative" for span in row["spans"])
    return {**row, "spans": [], "sentence": {**row["sentence"], "role": "negative" if hallucinated else "positive"}}


def _sentence_only(row: Row) -> Row:
    return {**row, "spans": []}


def groups() -> dict[str, list[Variant]]:
    """Tables of variants; the demo's own runs stand among them where they belong."""
    negatives = [
        Variant(f"{name}, {part}, rate {rate:g}", hyper, method, part, rate)
        for part, rates in RATES.items()
        for rate in rates
        for name, (method, hyper) in NEGATIVES.items()
    ]
    longer = [
        Variant(f"{name}, {5 * demo.STEPS} steps", hyper, method, "language", RATES["language"][-2], 5 * demo.STEPS)
        for name, (method, hyper) in NEGATIVES.items()
    ]
    ablation = [
        Variant("whole captions", {"negative": "ascent"}, change=_whole),
        Variant("without sentence loss", {"negative": "ascent", "sentence_weight": 0.0}),
        Variant("sentence loss alone", {"negative": "ascent", "sentence_weight": 1.0}, change=_sentence_only),
        Variant(PUBLISHED, {"negative": "ascent"}),
    ]
    weights = [
        Variant(f"lambda_1 {value:g}", {"negative": "ascent", "negative_weight": value})
        for value in (0.1, 0.2, 0.4, 1.0)
    ]
    weights += [
        Variant(f"lambda_2 {value:g}", {"negative": "ascent", "sentence_weight": value}) for value in (0.1, 0.3, 1.0)
    ]
    thresholds = [
        Variant(
            f"lowest and highest {100 * share:g} %",
            {"negative": "span_unlikelihood"},
            learning_rate=demo.METHODS["efuf_unlikelihood"].learning_rate,
            share=share,
        )
        for share in (0.02, 0.05, 0.1, 0.2, 0.35)
    ]
    return {
        "How hallucinated phrases are lowered, and where": negatives,
        f"Five times as long, language, rate {RATES['language'][-2]:g}": longer,
        "What the objective needs (Table 3 of the paper)": ablation,
        "The weights": weights,
        "The thresholds": thresholds,
    }


def variants(folder: Path, seed: int) -> dict[str, dict[str, Any]]:
    """Train and measure every variant on one seed's mined spans: figures by name of the variant."""
    place = folder / "variants.json"
    found: dict[str, dict[str, Any]] = json.loads(place.read_text()) if place.is_file() else {}
    world, wanted = CaptionWorld(seed), {one.name: one for group in groups().values() for one in group}
    missing = [one for one in wanted.values() if one.name not in found]
    base = prepare_captioners(world).base
    jobs = [_job(one, folder, base, seed) for one in missing]
    run_all(jobs, f"variants of seed {seed}", sum(one.steps for one in missing))
    outcome = Outcome(world, folder)
    for one in missing:
        scores = json.loads((folder / "runs" / _slug(one) / "scores.json").read_text())
        numbers = outcome.numbers(_slug(one))
        found[one.name] = {
            **numbers,
            **_labels(one, folder, world),
            "watched": [x["watched"] for x in scores["watched"]],
        }
    write_json(place, found)
    return found


def _job(one: Variant, folder: Path, base: Path, seed: int) -> Job:
    values = {
        "model": str(base),
        "forget": str(_spans(one, folder)),
        "probes": {name: str(folder / "data" / f"{name}.jsonl") for name in ("captions", "questions")},
        "method": one.method,
        "hyper_parameters": dict(one.hyper_parameters),
        "out": str(folder / "runs" / _slug(one)),
        "parts": [one.part],
        "learning_rate": one.learning_rate,
        "max_steps": one.steps,
        "batch_size": demo.FORGET_BATCH,
        "seed": seed,
        "eval_batch_size": demo.BATCH,
        "max_new_tokens": demo.CAPTION_TOKENS,
        "guard": {"drop": 1000.0},  # looks, and never stops: how far a training falls is what is asked
    }
    return Job("unsee.demos.person:unlearn_job", {"values": values, "base_records": str(folder / "records" / "base")})


def _slug(one: Variant) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in one.name)


def _spans(one: Variant, folder: Path) -> Path:
    """The file of spans that a variant learns from."""
    mined = folder / "mining" / "spans.jsonl"
    path = folder / "mining" / f"spans-{_slug(one)}.jsonl"
    if one.share is not None:
        write_spans(path, _selected(folder, _thresholds(one, folder)))
        return path
    if one.change is None:
        return mined
    write_jsonl(path, map(one.change, read_jsonl(mined)))
    return path


def _thresholds(one: Variant, folder: Path) -> Thresholds:
    if one.share is None:
        return read_thresholds(folder / "mining" / "thresholds.json")
    return from_quantiles(read_scored(folder / "mining"), one.share)


def _selected(folder: Path, thresholds: Thresholds) -> Iterator[CaptionRow]:
    """What `unsee mine` selects by other thresholds, from the phrases and scores that are there."""
    extractor = lexicon([folder / "data" / "objects.txt"])
    for path in sorted((folder / "mining" / "captions").glob("*.jsonl")):
        for said, scored in zip(read_jsonl(path), read_jsonl(folder / "mining" / "relevance" / path.name), strict=True):
            phrases = extractor.extract([said["caption"]])[0].phrases
            spans, sentence = select(said["caption"], phrases, scored["scores"], thresholds)
            if spans or sentence.role:
                image = folder / "data" / "pictures" / said["image"]
                yield CaptionRow(image, said["question"], said["caption"], spans, sentence, "cosine_100")


def _labels(one: Variant, folder: Path, world: CaptionWorld) -> dict[str, float]:
    """How right the labels are that a variant learnt from."""
    thresholds = _thresholds(one, folder)
    roles = [
        (text.lower() in world.unlabelled[int(Path(image).stem)].objects, thresholds.role(score))
        for image, phrases in read_scored(folder / "mining").captions
        for text, score in phrases
    ]
    right = sum(role == "negative" and not there for there, role in roles)
    taken, hallucinated = sum(role == "negative" for _, role in roles), sum(not there for there, _ in roles)
    return {"labels_precision": right / max(1, taken), "labels_recall": right / max(1, hallucinated)}


def tables(found: Mapping[int, dict[str, dict[str, Any]]]) -> list[str]:
    """One table a group: means over seeds, and least and greatest where they matter."""
    lines: list[str] = []
    for title, group in groups().items():
        shares = any(one.share is not None for one in group)
        heads = ["variant", "CHAIR_S", "CHAIR_S matched", "CHAIR_I matched", "recall", "words", "POPE F1"]
        heads += ["labels precision", "labels recall"] if shares else ["watched, nats per token"]
        lines += [
            f"## {title}",
            "",
            f"Means over seeds {', '.join(map(str, found))}; least and greatest in brackets.",
            "",
        ]
        lines += ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        for one in group:
            rows = [by_name[one.name] for by_name in found.values()]
            cells = [_spread(rows, key) for key in ("chair_s", "chair_s_matched", "chair_i_matched", "recall")]
            cells += [f"{fmean(row['mean_words'] for row in rows):.1f}", _spread(rows, "pope_f1")]
            if shares:
                cells += [_spread(rows, "labels_precision"), _spread(rows, "labels_recall")]
            else:
                cells.append(f"{fmean(row['watched'][-1] for row in rows):.2f}")
            lines.append(f"| {one.name} | " + " | ".join(cells) + " |")
        lines.append("")
    return lines


def _spread(rows: list[dict[str, Any]], key: str) -> str:
    values = [row[key] for row in rows]
    return f"{fmean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    main()
