"""The person demo over several seeds, as one table: does what is claimed hold, and how surely?

    python experiments/seeds.py --seeds 0 1 2 3 4 --people 30 --out seeds --markdown docs/seeds.md

Every seed is a world of its own with its own base and gold; settings are those of `unsee demo`, the same for all.
Seeds that are done are read, not run again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean
from typing import Any

from unsee.demos.person import METHODS, PROBES, person

MODELS = ("base", "gold", *METHODS)


def main() -> None:
    """Run or read every seed, print the table and the paired differences, and write them as Markdown if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--out", type=Path, default=Path("seeds"))
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    summaries = [summary(options.out / f"seed-{seed}", seed, options.people) for seed in options.seeds]
    tables = [
        score_table(summaries),
        difference_table(summaries),
        hallucination_table(summaries),
        time_table(summaries),
    ]
    text = "\n\n".join("\n".join(table) for table in tables if table)
    print(text)
    if options.markdown:
        command = f"python experiments/seeds.py --seeds {' '.join(map(str, options.seeds))} --people {options.people}"
        options.markdown.write_text(f"# The person demo over seeds\n\nFigures of `{command}`.\n\n{text}\n")


def summary(folder: Path, seed: int, people: int) -> dict[str, Any]:
    """The summary of one seed."""
    path = folder / "summary.json"
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    return person(folder, seed=seed, people=people)


def score_table(summaries: list[dict[str, Any]]) -> list[str]:
    """One line per model and seed with every probe's share of right answers over everything that was asked."""
    lines = ["## Right answers, by seed", "", "Over all questions, without the knowledge gate.", ""]
    lines += ["| model | seed | " + " | ".join(PROBES) + " |", "|---" * (len(PROBES) + 2) + "|"]
    for model in MODELS:
        for one in summaries:
            scores = [f"{one['models'][model][probe]['ungated']:.3f}" for probe in PROBES]
            lines.append(f"| {model} | {one['seed']} | " + " | ".join(scores) + " |")
    chances = ", ".join(f"{max(one['chance'].values()):.3f}" for one in summaries)
    return [*lines, "", f"Chance of the best constant guess, by seed: {chances}."]


def difference_table(summaries: list[dict[str, Any]]) -> list[str]:
    """mmunlearner minus its rivals, paired by seed."""
    lines = ["## mmunlearner against its rivals", ""]
    lines += ["Difference in right answers, paired by seed: the mean over seeds, and the least and the greatest."]
    lines += ["Lower is better for forget_vqa, higher for all others.", ""]
    lines += ["| rival | " + " | ".join(PROBES) + " |", "|---" * (len(PROBES) + 1) + "|"]
    for rival in ("grad_diff", "npo"):
        cells = []
        for probe in PROBES:
            pairs = [(one["models"]["mmunlearner"][probe], one["models"][rival][probe]) for one in summaries]
            found = [ours["ungated"] - theirs["ungated"] for ours, theirs in pairs]
            cells.append(f"{fmean(found):+.3f} ({min(found):+.3f} to {max(found):+.3f})")
        lines.append(f"| {rival} | " + " | ".join(cells) + " |")
    return lines


def hallucination_table(summaries: list[dict[str, Any]]) -> list[str]:
    """What each model names that is not in the scene; empty for summaries from before that was checked."""
    if any(not one.get("hallucination", {}).get("base") for one in summaries):
        return []
    lines = ["## What is hallucinated", ""]
    lines += ["Answers about scenes that name an object which is not there (CHAIR_S), the change against base at equal"]
    lines += ["length with its 95 % interval, mentions of such objects (CHAIR_I), and what is named of what is there."]
    lines += [
        "",
        "| model | seed | CHAIR_S | change | interval | more than base | CHAIR_I | recall |",
        "|---" * 8 + "|",
    ]
    for model in MODELS:
        for one in summaries:
            found = one["hallucination"][model]["scenes"]
            change = found["change"]
            cells = [
                f"{found['chair_s']:.3f}",
                f"{change['score']:+.3f}",
                f"{change['low']:+.3f} to {change['high']:+.3f}",
            ]
            cells += [
                "yes" if found["hallucinates_more"] else "no",
                f"{found['chair_i']:.3f}",
                f"{found['recall']:.3f}",
            ]
            lines.append(f"| {model} | {one['seed']} | {' | '.join(cells)} |")
    return lines


def time_table(summaries: list[dict[str, Any]]) -> list[str]:
    """Seconds of each seed's stages, as measured on the machine that ran them."""
    stages = list(summaries[0]["seconds"])
    lines = ["## Seconds", "", "| seed | " + " | ".join(stages) + " | cached |", "|---" * (len(stages) + 2) + "|"]
    for one in summaries:
        cached = "yes" if one["base_and_gold_from_cache"] else "no"
        cells = [str(one["seed"]), *(str(one["seconds"][stage]) for stage in stages), cached]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
