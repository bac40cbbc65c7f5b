"""The dozen answers that a page shows first: what went wrong, and a sample that nobody chose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.report.samples import Page, judged
from unsee.report import Answer, Report, render
from unsee.report.replies import kind_of_failure
from unsee.report.sections.answers import MOST_PER_PROBE, shown
from unsee.report.sections.dozen import DOZEN, FAILURES, dozen, sample


def asked(probe: str, subject: str | None, number: int, right: bool, knew: bool = True) -> Answer:
    said = {"base": "x", "m": f"{probe} {subject} {number}"}
    return Answer(
        probe=probe,
        subject=subject,
        question=f"q{number}",
        expected="e",
        said=said,
        correct={"base": knew, "m": right},
    )


def report(answers: Sequence[Answer]) -> Report:
    return judged([0.1, 0.9], gold=None).model_copy(update={"answers": list(answers)})


def mixed(people: int = 20, each: int = 10) -> Report:
    """One in ten of what should have gone is still said, and one in five of what should have stayed is lost."""
    gone = [asked("forget_vqa", f"p{i}", j, right=j == 7) for i in range(people) for j in range(each)]
    kept = [asked("retain_vqa", f"q{i}", j, right=j > 1) for i in range(people) for j in range(each)]
    return report([*gone, *kept])


def test_what_went_wrong_comes_first_with_its_numbers() -> None:
    page = mixed()
    groups = dozen(page)
    assert [(group.kind, len(group.answers), group.total) for group in groups] == [
        ("still said", FAILURES, 20),
        ("lost", FAILURES, 40),
        ("sample", DOZEN - 2 * FAILURES, 400),
    ]
    assert all(kind_of_failure(page, one) == group.kind for group in groups[:2] for one in group.answers)
    words = Page(render(page)).words
    assert words.index("Should have gone, and is still said") < words.index("Should have stayed, and is lost")
    assert "3 of 20 shown" in words
    assert "3 of 40 shown" in words
    assert "M: 20 of 200" in words  # of those that should have gone
    assert "M: 40 of 200" in words  # of those that should have stayed


def test_what_gold_guesses_right_stands_beside_what_methods_still_say() -> None:
    page = judged([0.1, 0.9])
    answers = [asked("forget_vqa", f"p{i}", 0, right=i < 5) for i in range(20)]
    answers = [one.model_copy(update={"correct": {**one.correct, "gold": i > 16}}) for i, one in enumerate(answers)]
    words = Page(render(page.model_copy(update={"answers": answers}))).words
    assert "GOLD: 3 of 20, M: 5 of 20." in words


def test_a_page_without_failures_says_so_and_shows_a_dozen_all_the_same() -> None:
    groups = dozen(report([asked("forget_vqa", f"p{i}", 0, right=False) for i in range(30)]))
    assert [(group.kind, group.total, len(group.answers)) for group in groups] == [
        ("still said", 0, 0),
        ("sample", 30, DOZEN),
    ]
    page = Page(render(report([asked("forget_vqa", f"p{i}", 0, right=False) for i in range(30)])))
    assert "None of 30 questions whose answers should have gone is still answered right." in page.words


def test_the_sample_is_drawn_over_people_and_does_not_look_at_what_was_said() -> None:
    page = mixed(people=30)
    turned = report(
        [one.model_copy(update={"correct": {**one.correct, "m": not one.correct["m"]}}) for one in page.answers]
    )
    assert [one.question + str(one.subject) for one in sample(page.answers, 12)] == [
        one.question + str(one.subject) for one in sample(turned.answers, 12)
    ]
    assert len({one.subject for one in sample(page.answers, 12)}) == 12
    assert Counter(one.subject for one in sample(page.answers, 120)) == Counter(
        dict.fromkeys({one.subject for one in page.answers}, 2)
    )
    assert sample(page.answers, 12) == sample(page.answers, 12)
    assert sample(page.answers, 12) != sample(page.answers, 12, seed=1)


def test_no_one_is_drawn_more_often_for_having_more_rows() -> None:
    answers = [asked("retain_vqa", f"p{i}", j, right=True) for i in range(20) for j in range(1 if i else 500)]
    drawn = Counter(sample(answers, 5, seed=seed)[k].subject for seed in range(400) for k in range(5))
    assert 60 < drawn["p0"] < 140  # 400 draws of 5 from 20 people: 100 is expected, with a deviation of 9


def test_rows_about_nobody_are_drawn_one_by_one() -> None:
    answers = [asked("retain_vqa", None, j, right=True) for j in range(40)]
    assert len({one.question for one in sample(answers, 12)}) == 12


def test_failures_that_the_page_has_room_for_are_all_on_it() -> None:
    """They are findable: of hundreds of answers to a probe, those that went wrong are kept first."""
    answers = [asked("forget_vqa", f"p{i % 5}", i, right=i % 50 == 49) for i in range(1000)]
    kept = shown(report(answers))
    assert len(kept) == MOST_PER_PROBE
    assert [one for one in kept if one.correct["m"]] == [one for one in answers if one.correct["m"]]
    everything_wrong = shown(report([one.model_copy(update={"correct": {"base": True, "m": True}}) for one in answers]))
    assert len({one.subject for one in everything_wrong}) == 5


@pytest.mark.parametrize(
    ("probe", "right", "knew", "kind"),
    [
        ("forget_vqa", True, True, "still said"),
        ("forget_vqa", False, True, ""),
        ("forget_vqa", True, False, ""),
        ("retain_vqa", False, True, "lost"),
        ("retain_vqa", True, True, ""),
        ("retain_vqa", False, False, ""),
    ],
)
def test_what_counts_as_a_failure(probe: str, right: bool, knew: bool, kind: str) -> None:
    assert kind_of_failure(report([]), asked(probe, "p", 0, right, knew)) == kind
