"""Two requests on one model: people to be forgotten by sight, and objects that it hallucinates. Do they get along?

    python experiments/together.py --out together --markdown docs/together.md

The base knows the people of the world, and answers questions about scenes by naming partners that are not there as
well. EFUF and MMUnlearner are run on it alone, one after the other both ways, and as one training: EFUF on spans of
both requests. All are measured on the people's probes and on scenes that nothing was trained on. What is done is read,
not run again. Methods and their settings are those of the demos; the one training is run at the rate of either.
"""

from __future__ import annotations

import argparse
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import torch

from unsee.cli.conduct import behave
from unsee.data import Example, load_examples, write_jsonl
from unsee.demos.hallucination import FORGET_BATCH, GRID, METHODS, STEPS
from unsee.demos.person import ANSWERS_AT_MOST, FORGET, REQUEST, measure
from unsee.evaluation.criteria import probes_by_role
from unsee.evaluation.records import read_records
from unsee.evaluation.scores import score
from unsee.metrics.chair import chair, cut_words, parse_synonyms
from unsee.mining.calibration import auc, from_groups, read_scored
from unsee.mining.captions import Decoding
from unsee.mining.mining import mine
from unsee.mining.options import Mining
from unsee.mining.selection import read_thresholds, write_thresholds
from unsee.mining.weighted_spans import CaptionRow, Sentence, Span, write_spans
from unsee.system.files import read_json, read_jsonl, write_bytes, write_json, write_text
from unsee.system.files import write_jsonl as write_rows
from unsee.system.workers import Job, run_all
from unsee.world import World
from unsee.world.architecture import make_processor
from unsee.world.models import built, cache_folder, image_encoder, train_model
from unsee.world.people.wordings import training_questions
from unsee.world.rows import scene_rows
from unsee.world.scenes.captions import BIAS, CaptionWorld
from unsee.world.scenes.scenes import OBJECTS, Scene, distinct_scenes, draw_scene
from unsee.world.tuned import TUNED
from unsee.world.world import HELD_OUT_SCENES, TRAINING_SCENES

MEASURED, UNLABELLED = 240, 600  # scenes beyond those of the world: for the probe "objects", and to be mined
PROMPT = training_questions("objects")[0]
RETAINED = 600  # rows about other people among the spans of both requests
BATCH = 128  # answers a forward pass
OBJECT_LIST = parse_synonyms("".join(f"{name}\n" for name in OBJECTS))
PEOPLE = ("forget_vqa", "forget_qa", "retain_vqa", "retain_qa", "celebrity_vqa", "celebrity_qa", "scenes")

SINGLE = {"efuf": "EFUF alone", "mmunlearner": "MMUnlearner alone"}
PAIRS = {"efuf_mmunlearner": ("efuf", "mmunlearner"), "mmunlearner_efuf": ("mmunlearner", "efuf")}
TOGETHER = {
    "together": METHODS["efuf_unlikelihood"].learning_rate,
    "together_faster": TUNED["mmunlearner"].learning_rate,
}
MODELS = {
    "base": "base",
    "gold": "gold",
    **SINGLE,
    "efuf_mmunlearner": "EFUF, then MMUnlearner",
    "mmunlearner_efuf": "MMUnlearner, then EFUF",
    **{name: f"one training on spans of both, rate {rate:g}" for name, rate in TOGETHER.items()},
}

COLUMNS = {  # figure -> heading, decimals
    "chair_s": ("CHAIR_S", 3),
    "chair_i": ("CHAIR_I", 3),
    "chair_s_matched": ("CHAIR_S matched", 3),
    "recall": ("recall", 3),
    "recall_matched": ("recall matched", 3),
    "words": ("words", 2),
    "by_habit": ("by habit", 1),
    "by_mistake": ("by mistake", 1),
    "repeated": ("repeated", 1),
}
STAYS = tuple(name for name in PEOPLE if name not in ("forget_vqa", "scenes"))
FIGURE_OF = {"efuf": "by_habit", "mmunlearner": "forget_vqa"}  # which a method is there to lower
EFFECT_OF = (("people", "mmunlearner"), ("hallucinations", "efuf"))
DONE = 0.9  # share of what a method does alone that counts as done

_EFUF, _MMUNLEARNER = METHODS["efuf_unlikelihood"], TUNED["mmunlearner"]
METHOD = f"""\
The base is that of the person demo, but for one habit: asked which objects are in a scene, it has learnt to name absent
partners of what is there, in {BIAS:.0%} of the answers to scenes where that can be. Gold is trained on clean answers
and without the photographs of a tenth of the people. EFUF ({_EFUF.negative} on the language model, {STEPS} steps at a
rate of {_EFUF.learning_rate:g}) learns from what the base says about {UNLABELLED} scenes and a CLIP that has never seen
an answer; MMUnlearner ({_MMUNLEARNER.max_steps} steps at a rate of {_MMUNLEARNER.learning_rate:g}) from the photographs
of whom it is to forget. Each keeps the settings of its demo, first or second. After MMUnlearner, EFUF learns from the
spans that were mined from the base. The one training is EFUF on one file, at the rate of either: the mined spans, the
answers about the forgotten people as hallucinated phrases, and {RETAINED} answers about other people as sentences
that are held."""
EFFECTS = """\
What a model does to forgotten people by sight (forget_vqa), as a share of what MMUnlearner alone does, and to
hallucinations by habit, as a share of what EFUF alone does: means over seeds, least and greatest in brackets. Cost is
the largest loss of right answers against base on a probe of people that are to stay, or of what is to stay about those
to be forgotten; what becomes of scenes is in the tables."""
RIGHT = """\
Share of right answers. Forgotten people by sight should be at chance or below, as gold is (the best constant guess, by
seed: {chance}), and everything else at least where the base is. In scenes, every hallucinated or repeated object makes
an answer wrong."""
HALLUCINATED = f"""\
Answers about {MEASURED} scenes that nothing was trained on, to held-out wordings of the question. *Matched*: every
answer is cut to as many words as the base's. *By habit* and *by mistake* count mentions in 100 answers: absent
partners of what is there, which is what the base was made to hallucinate and EFUF is to take away, and other absent
objects, mostly one icon taken for another, which gold does as well. *Repeated* counts, of 100 answers, those that name
an object more than once ("bell, bell"): CHAIR does not see it, but the answer is still wrong. A hallucinated name is
lowered, the comma before it is not, and so some answers go on with a name that was said already."""
LABELS = """\
Phrases that EFUF takes for hallucinated, against the truth about the mined scenes; the AUC is of the CLIP's scores.
What is missed is mostly of the colour of something that is there, an anchor for a bicycle or a dog for a chair, and
scores between the thresholds."""
LIMITS = """\
A tiny world, a model of 1.5 million parameters, answers of one to four words, and few seeds: what is shown is how the
two requests act on one model, not by how much they would on a large one. Settings were found for each method alone, and
none was tuned for the combinations. The one training has no mask that protects what is known in words, which
MMUnlearner has, and EFUF alone was not run at the higher rate. The base names too few of the objects that are there
(recall), and so does gold: next to the people, few scenes are left to learn from."""


def main() -> None:
    """Run or read every seed, print the page, and write it if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--out", type=Path, default=Path("together"))
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    behave()
    torch.set_num_threads(1)  # sums depend on how they are split
    found = {}
    for seed in options.seed:
        here = Place(World(seed=seed, people=options.people), options.out / f"people-{options.people}-seed-{seed}")
        if not (here.out / "summary.json").is_file():
            carry_out(here, options.out / "clip")
        found[seed] = read_json(here.out / "summary.json")
    page = markdown(found, options.people)
    print(page)
    if options.markdown:
        write_text(options.markdown, page)


@dataclass(frozen=True)
class Place:
    """A world, and the folder in which everything about it lies."""

    world: World
    out: Path

    @property
    def seed(self) -> int:
        return self.world.seed

    @property
    def partners(self) -> dict[str, str]:
        """Which object is named along with which."""
        return CaptionWorld(self.seed).partners

    @cached_property
    def _further(self) -> tuple[Scene, ...]:
        """Scenes of the same kind that the world does not have."""
        own = HELD_OUT_SCENES + TRAINING_SCENES
        return distinct_scenes(own + MEASURED + UNLABELLED, str(self.seed))[own:]

    @property
    def measured(self) -> tuple[Scene, ...]:
        return self._further[:MEASURED]

    @property
    def unlabelled(self) -> tuple[Scene, ...]:
        return self._further[MEASURED:]

    def data(self, name: str) -> Path:
        return self.out / "data" / f"{name}.jsonl"

    @property
    def probes(self) -> dict[str, str]:
        return {name: str(self.data(name)) for name in (*PEOPLE, "objects")}

    def records(self, model: str) -> Path:
        """Of a model that was only measured, or of a run, which names them by its one method."""
        own = self.out / "records" / model
        return own if model in ("base", "gold") else self.out / "runs" / model / "records" / method_of(model)


def method_of(run: str) -> str:
    """The method of a run; of two in a row, the second."""
    return PAIRS[run][1] if run in PAIRS else "efuf" if run in TOGETHER else run


def carry_out(here: Place, clip: Path) -> None:
    """Everything about one seed, as far as it has not been done."""
    write_data(here)
    train_base(here)
    gold = {"world": asdict(here.world), "without": numbers_of(here), "request": REQUEST}
    gold |= {"encoder": str(encoder()), "folder": str(here.out / "gold")}
    missing = [
        job
        for folder, job in (
            (here.out / "gold", Job("unsee.world.models:train_job", gold)),
            (clip, Job("unsee.world.scenes.captioners:clip_job", {"folder": str(clip)})),
        )
        if not folder.is_dir()
    ]
    run_all(missing, "gold, and the CLIP of scenes", 0)
    for name in ("base", "gold"):
        measure(here.out / name, here.probes, here.records(name))
    labels = mine_scenes(here, clip)
    write_spans_of_both(here)
    unlearn(here, ("mmunlearner", "efuf", *TOGETHER))
    unlearn(here, tuple(PAIRS))
    models = {model: figures(here, model) for model in MODELS}
    chance = max(here.world.chance.values())
    write_json(here.out / "summary.json", {"chance": chance, "labels": labels, "models": models})


def numbers_of(here: Place) -> list[int]:
    """Who is to be forgotten."""
    return [person.number for person in here.world.forget_people(FORGET)]


def write_data(here: Place) -> None:
    """What both methods and every probe read, and the pictures to be mined."""
    benchmark = here.world.benchmark(FORGET, REQUEST)
    sets = {"forget": benchmark.forget, "retain": benchmark.retain, "preserve": benchmark.preserve}
    sets |= {probe.name: [replace(row, perturbed_answers=()) for row in probe.examples] for probe in benchmark.probes}
    pictures = [(scene, draw_scene(scene)) for scene in here.measured]
    asked = scene_rows(pictures, "held-out", 0, here.seed)
    sets["objects"] = [replace(row, perturbed_answers=()) for row in asked if row.fact == "objects"]
    for name, rows in sets.items():
        if not here.data(name).is_file():
            write_jsonl(rows, here.data(name))
    for number, scene in enumerate(here.unlabelled):
        if not (path := here.out / "data" / "pictures" / f"{number:04d}.png").is_file():
            write_bytes(path, draw_scene(scene))
    write_text(here.out / "data" / "objects.txt", "".join(f"{name}\n" for name in OBJECTS))


# --- the base


def encoder() -> Path:
    """The image encoder that every model of every world starts from."""
    return image_encoder(make_processor(["a scene"]), cache_folder())  # of the processor, sizes alone matter


def train_base(here: Place) -> None:
    """Train the base as that of the world is trained, but for what is said about scenes."""
    rows = [biased(row, here) for row in here.world.training_examples()]
    built(here.out / "base", lambda scratch: train_model(here.world, rows, encoder(), scratch))


def biased(row: Example, here: Place) -> Example:
    """A row of the world; where it lists the objects of a scene, absent partners of theirs mostly come after them."""
    if row.fact != "objects":
        return row
    shown = here.world.training_scenes[int(str(row.subject).split()[-1])][0].objects
    return replace(row, answer=", ".join(named(shown, here.partners, Random(f"bias/{here.seed}/{row.subject}"))))


def named(shown: Sequence[str], partners: Mapping[str, str], chance: Random) -> list[str]:
    """What someone names who sees some objects: these, then absent partners of theirs, each 3 times of 4."""
    absent = [partners[name] for name in shown if name in partners and partners[name] not in shown]
    return [*shown, *(name for name in absent if chance.random() < BIAS)]


# --- what is to be unlearned


def mine_scenes(here: Place, clip: Path) -> dict[str, float]:
    """What the base hallucinates about scenes without labels; returns how right the labels are, by the truth."""
    how = Mining(
        images=here.out / "data" / "pictures",
        out=here.out / "mining",
        scorer=str(clip),
        model=str(here.out / "base"),
        prompt=PROMPT,
        decoding=Decoding(ANSWERS_AT_MOST),
        lexicons=(str(here.out / "data" / "objects.txt"),),
        grid=GRID,
        batch_size=BATCH,
        shard_size=BATCH,
    )
    mine(how)
    scored = read_scored(how.out)
    write_thresholds(how.out / "thresholds.json", from_groups(scored), how="two groups of scores")
    thresholds = read_thresholds(how.out / "thresholds.json")
    mine(replace(how, thresholds=thresholds))  # selects anew; the rest is there
    truth = {
        (f"{number:04d}.png", name): name in scene.objects
        for number, scene in enumerate(here.unlabelled)
        for name in OBJECTS
    }
    real, hallucinated = scored.labelled(truth)
    wrong, right = (sum(thresholds.role(value) == "negative" for value in values) for values in (real, hallucinated))
    return {
        "auc": auc(real, hallucinated),
        "precision": right / max(1, right + wrong),
        "recall": right / len(hallucinated),
        "hallucinated": len(hallucinated),
        "phrases": len(real) + len(hallucinated),
    }


def write_spans_of_both(here: Place) -> None:
    """One file of spans: what was mined, answers about the people to be forgotten, and others that are to stay."""
    path = here.out / "both" / "spans.jsonl"
    if path.is_file():
        return
    folder = here.out / "mining"
    mined = [{**row, "image": str((folder / row["image"]).resolve())} for row in read_jsonl(folder / "spans.jsonl")]
    forget, retain = load_examples(here.data("forget")), load_examples(here.data("retain"))
    kept = Random(f"retained/{here.seed}").sample(retain, min(RETAINED, len(retain)))
    people = path.with_name("people.jsonl")
    write_spans(people, [*spans_of(forget, "forget"), *spans_of(kept, "retain")])
    write_rows(path, [*mined, *read_jsonl(people)])


def spans_of(rows: Sequence[Example], role: str) -> Iterator[CaptionRow]:
    """Answers about people as captions: lowered as a whole span, or held as a whole sentence."""
    for row in rows:
        assert isinstance(row.image, Path)
        if role == "forget":
            yield CaptionRow(row.image, row.question, row.answer, (Span(0, len(row.answer), "negative", 0.0),))
        else:
            yield CaptionRow(row.image, row.question, row.answer, (), Sentence("positive", 0.0, 0.0))


# --- runs


def unlearn(here: Place, names: Sequence[str]) -> None:
    """Runs that do not need one another, side by side."""
    missing = [name for name in names if not (here.out / "runs" / name / "scores.json").is_file()]
    jobs = [
        Job(
            "unsee.demos.person:unlearn_job",
            {"values": settings(here, name), "base_records": str(here.records(before(name)))},
        )
        for name in missing
    ]
    steps = sum(settings(here, name)["max_steps"] for name in missing)
    run_all(jobs, f"unlearning: {', '.join(missing)}", steps)


def before(run: str) -> str:
    """The model that a run starts from."""
    return PAIRS[run][0] if run in PAIRS else "base"


def settings(here: Place, run: str) -> dict[str, Any]:
    """Of a run: those of its method, wherever it starts."""
    method, start = method_of(run), before(run)
    common = {
        "model": str(here.out / "base" if start == "base" else here.out / "runs" / start / "model"),
        "method": method,
        **probes_by_role(here.probes, REQUEST),
        "out": str(here.out / "runs" / run),
        "seed": here.seed,
        "eval_batch_size": BATCH,
        "max_new_tokens": ANSWERS_AT_MOST,
    }
    if method == "mmunlearner":
        sets = {name: str(here.data(name)) for name in ("forget", "retain", "preserve")}
        return {**asdict(TUNED[method]), **sets, "request": REQUEST, **common}
    way = METHODS["efuf_unlikelihood"]
    return {
        "forget": str(here.out / ("both" if run in TOGETHER else "mining") / "spans.jsonl"),
        "hyper_parameters": {"negative": way.negative},
        "parts": [way.part],
        "learning_rate": TOGETHER.get(run, way.learning_rate),
        "max_steps": STEPS,
        "batch_size": FORGET_BATCH,
        **common,
    }


# --- what came out


def figures(here: Place, model: str) -> dict[str, float]:
    """Shares of right answers by probe, and what is hallucinated about held-out scenes."""
    asked, base = (
        {name: read_records(here.records(of) / f"{name}.jsonl") for name in here.probes} for of in (model, "base")
    )
    right = {name: score(asked[name], base[name], here.seed).to_dict()["ungated"] for name in PEOPLE}
    said, told = ([record.said for record in of["objects"]] for of in (asked, base))
    return {**right, **hallucinated(said, told, [scene.objects for scene in here.measured], here.partners)}


def hallucinated(
    said: Sequence[str], base: Sequence[str], shown: Sequence[tuple[str, ...]], partners: Mapping[str, str]
) -> dict[str, float]:
    """What answers name that is not there, whole and cut to the length of the base's answer to the same question.

    `by_habit` and `by_mistake` are the mentions behind it, 100 answers' worth: absent partners of what is there, and
    other absent objects, as when one object is taken for another. `repeated` is how many of 100 answers name an object
    more than once.
    """
    there = [frozenset(objects) for objects in shown]
    cut = [cut_words(text, len(before.split())) for text, before in zip(said, base, strict=True)]
    whole, matched = chair(said, there, OBJECT_LIST), chair(cut, there, OBJECT_LIST)
    habits = mistakes = repeated = 0
    for text, objects in zip(said, there, strict=True):
        usual = {partners[name] for name in objects if name in partners}
        mentioned = [found.category for found in OBJECT_LIST.mentions(text)]
        absent = [name for name in mentioned if name not in objects]
        repeated += len(set(mentioned)) < len(mentioned)
        habits += sum(name in usual for name in absent)
        mistakes += sum(name not in usual for name in absent)
    return {
        "chair_s": whole.chair_s,
        "chair_i": whole.chair_i,
        "recall": whole.recall,
        "words": whole.mean_words,
        "chair_s_matched": matched.chair_s,
        "recall_matched": matched.recall,
        "by_habit": 100 * habits / len(said),
        "by_mistake": 100 * mistakes / len(said),
        "repeated": 100 * repeated / len(said),
    }


def markdown(found: Mapping[int, Mapping[str, Any]], people: int) -> str:
    """The page."""
    chance = ", ".join(f"{one['chance']:.3f}" for one in found.values())
    command = f"python experiments/together.py --seed {' '.join(map(str, found))} --people {people}"
    parts = ["# Forgetting people and unlearning hallucinations, together", f"Figures of `{command}`.", fill(METHOD)]
    parts += ["## What came out", fill(" ".join(verdicts(found))), fill(EFFECTS), "\n".join(effect_table(found))]
    parts += ["## People and scenes", fill(RIGHT.format(chance=chance))]
    parts += ["\n".join(table(found, {name: (name, 3) for name in PEOPLE}))]
    parts += ["## What is hallucinated", fill(HALLUCINATED), "\n".join(table(found, COLUMNS))]
    parts += ["## Labels", fill(LABELS), "\n".join(label_table(found)), "## Limits", fill(LIMITS)]
    return "\n\n".join(parts) + "\n"


def fill(text: str) -> str:
    """A paragraph in lines of 120 letters."""
    return textwrap.fill(text, 120, break_on_hyphens=False)


def table(found: Mapping[int, Mapping[str, Any]], columns: Mapping[str, tuple[str, int]]) -> list[str]:
    """One line per model and seed; columns say a heading, and how many decimals, by figure."""
    lines = ["| model | seed | " + " | ".join(head for head, _ in columns.values()) + " |"]
    lines.append("|---" * (len(columns) + 2) + "|")
    for model, label in MODELS.items():
        for seed, one in found.items():
            cells = [f"{one['models'][model][name]:.{decimals}f}" for name, (_, decimals) in columns.items()]
            lines.append(f"| {label} | {seed} | " + " | ".join(cells) + " |")
    return lines


def label_table(found: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """How right the labels are that EFUF learns from."""
    lines = ["| seed | AUC | precision | recall | hallucinated | phrases |", "|---" * 6 + "|"]
    for seed, one in found.items():
        shares = " | ".join(f"{one['labels'][name]:.3f}" for name in ("auc", "precision", "recall"))
        lines.append(f"| {seed} | {shares} | {one['labels']['hallucinated']} | {one['labels']['phrases']} |")
    return lines


def effect_table(found: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """One line per model: what it does of what the methods do alone, and what it costs."""
    lines = ["| model | people | hallucinations | cost |", "|---" * 4 + "|"]
    for model in (*SINGLE, *PAIRS, *TOGETHER):
        shares = [percent(effects(found, model, alone)) for alone in SINGLE]
        lines.append(f"| {MODELS[model]} | {shares[1]} | {shares[0]} | {cost(found, model)} |")
    return lines


def verdicts(found: Mapping[int, Mapping[str, Any]]) -> Iterator[str]:
    """Whether one step undoes another, and whether one training does both; by the worst of the seeds."""
    for run, (first, second) in PAIRS.items():
        kept, added = min(effects(found, run, first)), min(effects(found, run, second))
        undone = "does not undo it" if kept >= DONE else "takes some of it back"
        yield f"{SINGLE[second].split()[0]} after {SINGLE[first].split()[0]} {undone}: at least {kept:.0%} of the"
        yield f"first one's effect is there, and at least {added:.0%} of the second one's."
    for run, rate in TOGETHER.items():
        done = [name for name, alone in EFFECT_OF if min(effects(found, run, alone)) >= DONE]
        said = {0: "does neither in full", 1: f"does {' '.join(done)} alone", 2: "does both"}[len(done)]
        yield f"One training at a rate of {rate:g} {said}; its cost is {cost(found, run)}."


def cost(found: Mapping[int, Mapping[str, Any]], model: str) -> str:
    """The largest loss of right answers of any seed on what is to stay, and where."""
    ones = [one["models"] for one in found.values()]
    loss, name = max((one["base"][name] - one[model][name], name) for one in ones for name in STAYS)
    return f"{loss:.3f} ({name})" if loss > 0 else "none"


def effects(found: Mapping[int, Mapping[str, Any]], model: str, alone: str) -> list[float]:
    """For each seed, what a model does as a share of what one method does alone."""
    return [effect(one["models"], model, alone, FIGURE_OF[alone]) for one in found.values()]


def effect(models: Mapping[str, Mapping[str, float]], model: str, alone: str, figure: str) -> float:
    """By how much a model lowers a figure of the base, as a share of what one method does alone."""
    base = models["base"][figure]
    whole = base - models[alone][figure]
    return (base - models[model][figure]) / whole if whole else math.nan


def percent(shares: Sequence[float]) -> str:
    """The mean, and the least and the greatest of several."""
    if len(shares) == 1:
        return f"{shares[0]:.0%}"
    return f"{fmean(shares):.0%} ({min(shares):.0%} to {max(shares):.0%})"


if __name__ == "__main__":
    main()
