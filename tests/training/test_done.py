"""The rule by which a training ends and a state is kept, on curves that are known."""

from __future__ import annotations

import pytest

from unsee.training.done import MOST, PATIENCE, Asked, Look, Wanted, nearest, over, paced

ASKED = Asked(forget=0.1, keep={"retain": 0.9})
CURVES: dict[str, tuple[list[tuple[float, float]], int, str, int]] = {
    # forget and retain by look, ten steps apart; where it ends and why, and which step is kept
    "reached": ([(1, 1), (0.4, 1), (0.1, 0.9), (0, 0.5)], 20, "reached", 20),
    "reached at once": ([(0.1, 1), (0, 1)], 0, "reached", 0),
    "never reached": ([(1, 1), (0.8, 1), (0.6, 1)], 20, "steps", 20),
    "never reached, and worse at last": ([(1, 1), (0.6, 1), (0.8, 1)], 20, "steps", 10),
    "retain lost first, and back": ([(1, 1), (0.6, 0.5), (0.05, 0.8), (0.05, 0.95)], 30, "reached", 30),
    "retain lost before anything is forgotten": ([(1, 1), (1, 0.2), (0.9, 0.1)], 20, "steps", 0),
    # 0.5 x 0.4 + 0 is as far as 0 + 0.5 x 0.4: the earlier one
    "tie": ([(1, 1), (0.5, 1), (0.1, 0.5)], 20, "steps", 10),
    "tie of three": ([(1, 1), (0.6, 1), (0.6, 1), (0.6, 1)], 30, "steps", 10),
    "lost for good": ([(1, 1), *[(0, 0.6)] * (PATIENCE + 5)], 10 * PATIENCE + 10, "lost", 10),
    "lost, and coming back": ([(1, 1), *[(0, 0.4 + 0.03 * look) for look in range(15)]], 150, "steps", 150),
    "lost, with a look between": (
        [(1, 1), *[(0, 0.6)] * (PATIENCE - 1), (0.2, 0.6), *[(0, 0.6)] * (PATIENCE - 1)],
        20 * PATIENCE - 10,
        "steps",
        10,
    ),
}


@pytest.mark.parametrize("name", CURVES)
def test_a_known_curve_ends_where_it_should_and_keeps_what_it_should(name: str) -> None:
    curve, step, why, kept = CURVES[name]
    looks: list[Look] = []
    ended = None
    for number, (forget, retain) in enumerate(curve):
        looks.append(Look(step=10 * number, right={"forget": forget, "retain": retain}))
        ended = over(looks, ASKED, last=number == len(curve) - 1)
        if ended:
            break
    assert (looks[-1].step, ended, nearest(looks, ASKED).step) == (step, why, kept)


def test_each_set_that_should_stay_has_to() -> None:
    asked = Asked(forget=0.1, keep={"retain": 0.9, "preserve": 0.8})
    look = Look(step=0, right={"forget": 0.0, "retain": 0.95, "preserve": 0.7})
    assert over([look], asked, last=False) is None
    assert asked.distance(look) == pytest.approx(0.05)  # half of what is missing to 0.8


def test_forgetting_more_than_gold_is_a_miss_as_well() -> None:
    wanted = Wanted(0.05, 0.03, below_start=True, gold=[True, False, True, False, True])
    asked = wanted.asked({"retain": 0.98}, [True, True, True, True, False])  # of the four known ones gold has two
    assert (asked.gold, asked.forget) == (0.5, 0.55)
    assert asked.keep == pytest.approx({"retain": 0.95})
    shares = {share: asked.distance(Look(step=0, right={"forget": share, "retain": 1.0})) for share in (0.6, 0.5, 0.3)}
    assert shares == pytest.approx({0.6: 0.025, 0.5: 0.0, 0.3: 0.075})  # 0.45 is as good as gold


def test_what_is_asked_for_may_be_absolute() -> None:
    asked = Wanted(0.2, 0.9, below_start=False).asked({"retain": 0.95, "preserve": 0.5}, [True, False])
    assert (asked.forget, asked.gold, asked.keep) == (0.2, None, {"retain": 0.9, "preserve": 0.9})


@pytest.mark.parametrize(
    ("before", "now", "pace", "then"),
    [
        ((1, 1), (1, 1), 1, 1.25),  # nothing lost, and nothing went
        ((1, 1), (0.96, 0.9), 1, 1.25),  # little went
        ((1, 1), (0.95, 0.9), 1, 1),  # enough went
        ((0.5, 1), (0.5, 0.8), 1, 1),  # too much is lost
        ((0.1, 1), (0.1, 1), 1, 1),  # all that is to go has gone
        ((1, 1), (1, 1), 9, MOST),
    ],
)
def test_the_rate_is_raised_while_little_goes_and_nothing_is_lost(
    before: tuple[float, float], now: tuple[float, float], pace: float, then: float
) -> None:
    looks = [
        Look(step=n, right=dict(zip(("forget", "retain"), pair, strict=True))) for n, pair in enumerate((before, now))
    ]
    assert paced(looks, ASKED, pace) == pytest.approx(then)
