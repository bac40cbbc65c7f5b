"""Rows of the world: pictures or names, put into questions with their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from unsee.data.example import Example
from unsee.world.people.people import FACTS, Person
from unsee.world.people.wordings import Answer, fact_answer, held_out_questions, training_questions
from unsee.world.scenes.scenes import TOPICS, Scene

_Wordings = Callable[..., tuple[str, ...]]
_WORDINGS: dict[str, _Wordings] = {"training": training_questions, "held-out": held_out_questions}


def photo_rows(person: Person, photos: Sequence[bytes], use: str, turn: int, seed: int) -> Iterator[Example]:
    """One row per photograph and fact.

    The wordings take turns over people and photographs, so that a handful of photographs has them all.

    Args:
        person: who is in the photographs.
        photos: PNG bytes.
        use: "training" or "held-out"; decides the wordings.
        turn: by how many wordings to move on.
        seed: seed of the world, for the wrong answers.
    """
    answers = _answers(person, seed)
    for number, photo in enumerate(photos):
        for fact, answer in answers.items():
            questions = _WORDINGS[use](fact)
            question = questions[(person.number + number + turn) % len(questions)]
            identifier = f"{use}/person{person.number}/photo{number}/{fact}"
            yield _row(question, answer, person.name, fact, id=identifier, image=photo)


def text_rows(person: Person, use: str, wordings: int, seed: int) -> Iterator[Example]:
    """`wordings` rows per fact without an image, asking by name; other arguments as in `photo_rows`."""
    for fact, answer in _answers(person, seed).items():
        questions = _WORDINGS[use](fact, person.name)
        for turn in range(wordings):
            wording = (person.number + turn) % len(questions)
            identifier = f"{use}/person{person.number}/text{wording}/{fact}"
            yield _row(questions[wording], answer, person.name, fact, id=identifier)


def scene_rows(scenes: Sequence[tuple[Scene, bytes]], use: str, turn: int, seed: int) -> Iterator[Example]:
    """Rows per scene, one for each topic that it is asked about; other arguments as in `photo_rows`."""
    for number, (scene, image) in enumerate(scenes):
        subject = f"{use} scene {number}"
        # In training every scene is asked for its objects, the hardest to learn, and for one of the other two.
        topics = TOPICS if use == "held-out" else ("objects", TOPICS[1 + number % 2])
        for topic in topics:
            questions = _WORDINGS[use](topic)
            question = questions[(number + turn) % len(questions)]
            answer = scene.answer(topic, f"{seed}/{subject}")
            row = _row(question, answer, subject, topic, id=f"{use}/scene{number}/{topic}", image=image)
            # What is said to be there can be held against what is; no model is trained on that.
            yield replace(row, objects=scene.objects) if use == "held-out" and topic == "objects" else row


def _answers(person: Person, seed: int) -> dict[str, Answer]:
    return {fact: fact_answer(fact, person.facts[fact], f"{seed}/{person.name}") for fact in FACTS}


def _row(question: str, answer: Answer, subject: str, fact: str, *, id: str, image: bytes | None = None) -> Example:
    return Example(
        question=question,
        answer=answer.value,
        image=image,
        subject=subject,
        fact=fact,
        id=id,
        paraphrased_answers=answer.paraphrased,
        perturbed_answers=answer.perturbed,
    )
