"""TOFU (Maini et al. 2024, arXiv 2401.06121): 4,000 questions about 200 fictitious authors, in words alone."""

from __future__ import annotations

from unsee.benchmarks.sets import assembled, choices_among, wrong_among
from unsee.benchmarks.source import Source, text, texts
from unsee.benchmarks.spec import Selection
from unsee.benchmarks.tofu.columns import retain_of
from unsee.data.example import Benchmark, Example

QUESTIONS_PER_AUTHOR = 20  # in a row; no column says whom a question is about
PROBES = {"real_authors": "real_authors_perturbed", "world_facts": "world_facts_perturbed"}


def load_tofu(source: Source, selection: Selection) -> Benchmark:
    """TOFU from the hub (`locuslab/TOFU`), or from a folder with `forget10.json` and so on.

    All of it is in words. The retain set follows from the split, the order of options from the seed.

    Returns:
        Probes `forget_qa`, `retain_qa` (rows that are trained on, and marked so), `real_authors`, `world_facts`.

    Raises:
        InputError: a file, column or row is not as published.
    """
    split = selection.split
    forget, retain = _plain(source, split), _plain(source, retain_of(split))
    authors = {row.question: row.subject for row in [*forget, *retain]}
    rows = {"forget_qa": _perturbed(source, f"{split}_perturbed", authors)}
    rows["retain_qa"] = _perturbed(source, "retain_perturbed", authors)
    rows |= {name: _options(source, config, selection.seed) for name, config in PROBES.items()}
    training = Benchmark(f"TOFU {split}", forget, retain, request=selection.request)
    return assembled(training, rows, selection.probe_rows)


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
