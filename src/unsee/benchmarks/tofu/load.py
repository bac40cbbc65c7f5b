"""TOFU (Maini et al. 2024, arXiv 2401.06121): 4,000 questions about 200 fictitious authors, in words alone."""

from __future__ import annotations

from pathlib import Path

from unsee.benchmarks.schemas import PERCENTAGES
from unsee.benchmarks.sets import assembled, choices_among, one_of, wrong_among
from unsee.benchmarks.source import Source, open_source, text, texts
from unsee.data.example import Benchmark, Example

SPLITS = tuple(f"forget{share}" for share in PERCENTAGES)
QUESTIONS_PER_AUTHOR = 20  # in a row; no column says whom a question is about
PROBES = {"real_authors": "real_authors_perturbed", "world_facts": "world_facts_perturbed"}


def load_tofu(
    source: str | Path, split: str = "forget10", request: str = "textual", seed: int = 0, probe_rows: int | None = None
) -> Benchmark:
    """TOFU from the hub or from a folder in its layout.

    Args:
        source: `locuslab/TOFU`, or a folder with `forget10.json` and so on.
        split: what is forgotten, one of `SPLITS`; the retain set follows from it.
        request: "textual"; TOFU has no pictures.
        seed: of the order of options.
        probe_rows: measure at most so many rows a probe, spread evenly.

    Returns:
        Probes `forget_qa`, `retain_qa` (rows that are trained on, and marked so), `real_authors`, `world_facts`.

    Raises:
        InputError: for an unknown split or request, and for a file, column or row that is not as published.
    """
    one_of("split", split, SPLITS)
    one_of("request", request, ("textual",))
    opened = open_source(source)
    retain_config = f"retain{100 - int(split.removeprefix('forget'))}"
    forget, retain = _plain(opened, split), _plain(opened, retain_config)
    authors = {row.question: row.subject for row in [*forget, *retain]}
    rows = {"forget_qa": _perturbed(opened, f"{split}_perturbed", authors)}
    rows["retain_qa"] = _perturbed(opened, "retain_perturbed", authors)
    rows |= {name: _options(opened, config, seed) for name, config in PROBES.items()}
    return assembled(Benchmark(f"TOFU {split}", forget, retain, request=request), rows, probe_rows)


def _plain(source: Source, config: str) -> list[Example]:
    return [
        Example(
            text(row, "question"),
            text(row, "answer"),
            subject=f"author {number // QUESTIONS_PER_AUTHOR} of {config}",
            id=f"{config}/{number}",
        )
        for number, row in enumerate(source.rows(config, ("question", "answer")))
    ]


def _perturbed(source: Source, config: str, authors: dict[str, str | None]) -> list[Example]:
    columns = ("question", "answer", "paraphrased_answer", "perturbed_answer")
    return [
        Example(
            text(row, "question"),
            answer := text(row, "answer"),
            subject=authors.get(text(row, "question")),
            id=f"{config}/{number}",
            paraphrased_answers=(paraphrased := text(row, "paraphrased_answer"),),
            perturbed_answers=wrong_among(texts(row, "perturbed_answer"), answer, paraphrased),
        )
        for number, row in enumerate(source.rows(config, columns))
    ]


def _options(source: Source, config: str, seed: int) -> list[Example]:
    return [
        Example(
            text(row, "question"),
            answer := text(row, "answer"),
            id=f"{config}/{number}",
            perturbed_answers=(wrong := wrong_among(texts(row, "perturbed_answer"), answer)),
            choices=choices_among(answer, wrong, seed),
        )
        for number, row in enumerate(source.rows(config, ("question", "answer", "perturbed_answer")))
    ]
