"""CLEAR (Dontsov et al. 2024, arXiv 2410.18057): fictitious authors with photographs, captions and TOFU's questions.

A *visual* row is a photograph with its caption, a *textual* row a question of TOFU. A request names which of the two
are to go, and every benchmark has probes for both, so that what leaks from one into the other shows. Where a request
spares a modality of the forgotten people, half of those rows is measured and the other half protected (`preserve`):
no evaluation question is ever in a preserve set.

The published sets measure on what they train on; such probes are marked `trained_on`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from unsee.benchmarks.clear.columns import retain_of
from unsee.benchmarks.sets import (
    all_but,
    alternate,
    assembled,
    choices_among,
    without_questions,
    wrong_among,
)
from unsee.benchmarks.source import Source, text, texts
from unsee.benchmarks.spec import Selection
from unsee.data.example import Benchmark, Example
from unsee.data.rows import Row
from unsee.system.progress import progress

QUESTIONS_PER_PERSON = 20  # of TOFU, in a row
RETAIN_QA_EVERY = 10  # so that two questions about each retained person are measured

# Each row is asked one of these, drawn by its own caption: the true answer, its paraphrase and the wrong ones are
# compared under the same question, and every run asks the same.
CAPTION_QUESTIONS = (
    "Describe this photo in one sentence.",
    "Write a caption for this picture.",
    "Who is in this photo, and what is to be seen?",
    "Summarise what this image shows.",
    "What would a good caption for this photo be?",
    "Say in a sentence who and what this picture shows.",
)
NAME_QUESTIONS = (
    "What is the name of the person in this photo?",
    "Who is this?",
    "Give the full name of the person in the picture.",
    "Which person does this photo show?",
)


def load_clear(source: Source, selection: Selection) -> Benchmark:
    """CLEAR from the hub (`therem/CLEAR`) or from a folder in its layout.

    A visual request forgets the photographs with their captions, a textual one the questions in words. The retain set
    follows from the split; which question a row is asked, and the order of options, from the seed.

    Returns:
        Probes `forget_caption_vqa`, `forget_name_vqa`, `forget_qa`, the same for `retain`, `real_faces`, `real_world`.

    Raises:
        InputError: a file, column or row is not as published.
    """
    split, request, seed = selection.split, selection.request, selection.seed
    clear = _Clear(source, seed)
    retain = retain_of(split)
    photos, photos_retained = clear.captions(split), clear.captions(retain)
    named = [*photos, *photos_retained]
    facts, facts_retained = clear.questions(f"{split}+tofu", named), clear.questions(f"{retain}+tofu", named)

    measured = clear.perturbed(f"{split}_perturbed")
    asked_photos = alternate(measured, seed)[0] if request == "textual" else measured
    asked_facts = alternate(facts, seed)[0] if request == "visual" else facts
    rows = {
        "forget_caption_vqa": [row.caption for row in asked_photos],
        "forget_name_vqa": [row.name for row in asked_photos],
        "forget_qa": asked_facts,
    }
    of_retained = clear.perturbed("retain_perturbed")
    rows |= {
        "retain_caption_vqa": [row.caption for row in of_retained],
        "retain_name_vqa": [row.name for row in of_retained],
        "retain_qa": _sample(facts_retained, seed),
        "real_faces": clear.real("real_faces"),
        "real_world": clear.real("real_world"),
    }
    if request == "visual":
        forget, kept, others = photos, photos_retained, [*facts, *facts_retained]
        preserve = without_questions(others, [*rows["forget_qa"], *rows["retain_qa"]])
    else:
        forget, kept = ([] if request == "textual" else photos) + facts, photos_retained + facts_retained
        captions = {row.caption.answer for row in asked_photos}
        others = photos if request == "textual" else []
        preserve = [row for row in others if row.answer not in captions]
    name = f"CLEAR {split}, {request} request"
    training = Benchmark(name, forget, kept, preserve, request=request, learned=all_but(others, preserve))
    return assembled(training, rows, selection.probe_rows)


@dataclass(frozen=True)
class _Photo:
    """One photograph, asked for its caption and for the name."""

    caption: Example
    name: Example


@dataclass(frozen=True)
class _Clear:
    """The configurations of CLEAR as examples."""

    source: Source
    seed: int

    def captions(self, config: str) -> list[Example]:
        """Photographs with their captions."""
        return [self._caption(row, ()) for row in self._rows(config, ("image", "caption", "name"))]

    def perturbed(self, config: str) -> list[_Photo]:
        """Photographs that come with other and with wrong captions and names."""
        columns = ("image", "caption", "name", "paraphrased_caption", "perturbed_captions", "perturbed_names")
        return [_Photo(self._caption(row, columns), self._name(row)) for row in self._rows(config, columns)]

    def questions(self, config: str, photos: Sequence[Example]) -> list[Example]:
        """The questions in words of a configuration that also holds photographs, which are passed over."""
        rows = [row for row in self._rows(config, ("question", "answer")) if row.values.get("question") is not None]
        asked = [(text(row, "question"), text(row, "answer")) for row in rows]
        people = _people_of(asked, {photo.subject for photo in photos if photo.subject})
        return [
            Example(question, answer, subject=subject, id=f"{config}/{number}")
            for number, ((question, answer), subject) in enumerate(zip(asked, people, strict=True))
        ]

    def real(self, config: str) -> list[Example]:
        """Real faces, asked for their names, or real scenes with a question of their own."""
        own_question = config == "real_world"
        columns = ("image", "answer", "options", *(("question",) if own_question else ()))
        examples = []
        for number, row in enumerate(self._rows(config, columns)):
            answer, options = text(row, "answer"), texts(row, "options")
            question = text(row, "question") if own_question else self._draw(NAME_QUESTIONS, f"{number}/{answer}")
            wrong = wrong_among(options, answer)
            values = {"perturbed_answers": wrong, "choices": choices_among(answer, options, self.seed)}
            subject = None if own_question else answer
            examples.append(self._example(row, question, answer, subject=subject, id=f"{config}/{number}", **values))
        return examples

    def _caption(self, row: Row, columns: Sequence[str]) -> Example:
        answer = text(row, "caption")
        alternatives: dict[str, Any] = {}
        if columns:
            paraphrased = text(row, "paraphrased_caption")
            alternatives = {
                "paraphrased_answers": (paraphrased,),
                "perturbed_answers": wrong_among(texts(row, "perturbed_captions"), answer, paraphrased),
            }
        question = self._draw(CAPTION_QUESTIONS, answer)
        return self._example(row, question, answer, subject=text(row, "name"), fact="caption", **alternatives)

    def _name(self, row: Row) -> Example:
        name = text(row, "name")
        wrong = wrong_among(texts(row, "perturbed_names"), name)
        question = self._draw(NAME_QUESTIONS, text(row, "caption"))
        choices = choices_among(name, wrong, self.seed)
        return self._example(row, question, name, subject=name, fact="name", perturbed_answers=wrong, choices=choices)

    def _example(self, row: Row, question: str, answer: str, **values: Any) -> Example:
        if row.values.get("image") is None:
            raise row.fail("image", "null; this row needs a picture")
        asked = {"image": row.values["image"], "question": question, "answer": answer, **values}
        return Row(asked, row.where, row.folder).example()

    def _draw(self, questions: Sequence[str], row: str) -> str:
        return Random(f"question/{self.seed}/{row}").choice(questions)

    def _rows(self, config: str, columns: Sequence[str]) -> Iterator[Row]:
        return progress(self.source.rows(config, columns), f"reading {config}")


def _sample(rows: Sequence[Example], seed: int) -> list[Example]:
    """Every tenth row; which tenth turns from person to person, since all have their questions in the same order."""
    return [
        row
        for place, row in enumerate(rows)
        if place % RETAIN_QA_EVERY == (place // QUESTIONS_PER_PERSON + seed) % RETAIN_QA_EVERY
    ]


def _people_of(asked: Sequence[tuple[str, str]], names: Iterable[str]) -> list[str | None]:
    """Whom each question of TOFU is about: whom it names, or else whom most of its person's twenty name.

    The rows have no column that says so, and many questions speak of "the author".
    """
    names = sorted(names, key=lambda name: (-len(name), name))  # "Ann Bell-Roth" before "Ann Bell"
    mentioned = [next((name for name in names if name in f"{question} {answer}"), None) for question, answer in asked]
    people = []
    for start in range(0, len(asked), QUESTIONS_PER_PERSON):
        block = mentioned[start : start + QUESTIONS_PER_PERSON]
        counts = Counter(name for name in block if name)
        usual = counts.most_common(1)[0][0] if counts else None
        people += [name or usual for name in block]
    return people
