"""TOFU's model utility and forget quality, by hand and against published evaluation logs."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

import pytest

from tests.metrics.shared_data import shared
from unsee.benchmarks.tofu.score import (
    LOG_OF_TASK,
    parse_tofu_logs,
    score_task,
    score_tofu,
)
from unsee.errors import InputError
from unsee.metrics.answers import rouge
from unsee.metrics.forget_quality import js_forget_quality_clear_v4
from unsee.metrics.task_scores import TaskLog
from unsee.metrics.truth_ratio import TruthRatio, log_truth_ratio

FULL, RETAIN90, RETAIN95 = (f"ft_epoch5_lr1e-05_llama2-7b_{name}_wd0.01" for name in ("full", "retain90", "retain95"))
TASK_OF_COLUMN = {"Real Authors": "real_authors", "Real World": "real_world", "Retain": "retain", "Forget": "forget"}
NUMBER_OF_COLUMN = {"ROUGE": "rouge", "Prob.": "probability", "Truth Ratio": "truth_ratio"}


def small_task(**changes: Any) -> dict[str, Any]:
    """A task of two rows: losses per token of answer [.5, 1.5], paraphrase [1, 2], wrong answers [[2, 3], [1, 2]]."""
    return {
        "avg_gt_loss": {"0": 0.5, "1": 1.5},
        "avg_paraphrased_loss": {"0": 1.0, "1": 2.0},
        "average_perturb_loss": {"0": [2.0, 3.0], "1": [1.0, 2.0]},
        "rougeL_recall": {"0": 1.0, "1": 0.5},
    } | changes


def small_logs(**changes: Any) -> dict[str, Any]:
    return {name: small_task() for name in LOG_OF_TASK.values()} | changes


@cache
def published(name: str) -> dict[str, Any]:
    logs: dict[str, Any] = json.loads(shared("data", "tofu", f"{name}.json").read_text())
    return logs


@cache
def parsed(name: str) -> dict[str, TaskLog]:
    return parse_tofu_logs(published(name), name)


def expected() -> Any:
    return json.loads(shared("data", "tofu", "expected.json").read_text())


def test_task_scores_by_hand() -> None:
    log = parse_tofu_logs(small_logs(), "small")["retain"]
    retain, real, forget = (score_task(log, task) for task in ("retain", "real_world", "forget"))
    assert retain.rouge == 0.75
    assert retain.probability == pytest.approx((math.exp(-0.5) + math.exp(-1.5)) / 2, abs=1e-15)
    assert retain.truth_ratio == pytest.approx(0.3884349199, abs=1e-10)  # worked out in test_truth
    assert real.probability == pytest.approx(0.5366765461, abs=1e-10)  # normalised over the options
    assert forget.truth_ratio == pytest.approx(0.4148304099, abs=1e-10)
    assert forget.n == 2


def test_model_utility_is_the_harmonic_mean_of_nine() -> None:
    scores = score_tofu(parse_tofu_logs(small_logs(), "small"))
    plain, options, truth = (math.exp(-0.5) + math.exp(-1.5)) / 2, 0.5366765461, 0.3884349199
    inverse = 3 / 0.75 + 3 / truth + 1 / plain + 2 / options
    assert scores.model_utility == pytest.approx(9 / inverse, abs=1e-9)
    assert scores.forget_quality is None


@pytest.mark.parametrize("name", [FULL, RETAIN90, RETAIN95])
@pytest.mark.parametrize(
    ("key", "variant"),
    [
        ("utility", "geometric"),
        ("utility_arithmetic_truth_ratio", "arithmetic"),
        ("clear_mm_truth_ratio", "clear_repo"),
    ],
)
def test_published_logs_give_the_published_utility(name: str, key: str, variant: TruthRatio) -> None:
    scores = score_tofu(parsed(name), variant=variant)
    for column, value in expected()["utilities"][name][key].items():
        if column == "Model Utility":
            assert scores.model_utility == pytest.approx(value, abs=1e-12)
            continue
        number, task = next((n, column.removeprefix(f"{n} ")) for n in NUMBER_OF_COLUMN if column.startswith(n))
        ours = getattr(scores.per_task[TASK_OF_COLUMN[task]], NUMBER_OF_COLUMN[number])
        assert ours == pytest.approx(value, abs=1e-12), column


def test_published_pairs_give_the_published_forget_quality() -> None:
    for pair in expected()["forget_quality"]:
        quality = score_tofu(parsed(pair["ckpt"]), parsed(pair["retain"])).forget_quality
        assert quality is not None
        assert quality.exact
        assert quality.statistic == pytest.approx(pair["ks_statistic"], abs=1e-12)
        assert quality.p_value == pytest.approx(pair["forget_quality"], rel=1e-12)
        assert quality.log_p_value == pytest.approx(pair["log_forget_quality"], abs=1e-12)


@pytest.mark.parametrize("name", [FULL, RETAIN90, RETAIN95])
def test_published_rouge_is_reproduced_in_every_row(name: str) -> None:
    rows = 0
    for task in published(name).values():
        for row, (_, said, answer) in task["generated_text"].items():
            scores = rouge(said, answer)
            assert scores.rouge1_recall == pytest.approx(task["rouge1_recall"][row], abs=1e-12)
            assert scores.rouge_l_recall == pytest.approx(task["rougeL_recall"][row], abs=1e-12)
            rows += 1
    assert rows == (717 if name == RETAIN95 else 817)


def test_row_aligned_js_of_clear_is_available_by_name() -> None:
    # published for these two logs with the repository's truth ratio: distance 0.227
    ratios = [
        log_truth_ratio(parsed(name)["forget"].paraphrase, parsed(name)["forget"].perturbed, "clear_repo")
        for name in (FULL, RETAIN90)
    ]
    assert 1 - js_forget_quality_clear_v4(ratios[0], ratios[1]) == pytest.approx(0.2269, abs=5e-5)


def test_rouge_table() -> None:
    for row in json.loads(shared("vectors", "clear_metrics.json").read_text())["rouge"]:
        scores = rouge(row["gen"], row["gt"])
        assert scores.rouge1_recall == pytest.approx(row["rouge1_recall"], abs=1e-9)
        assert scores.rouge_l_recall == pytest.approx(row["rougeL_recall"], abs=1e-9)


def test_defect_missing_rouge_is_computed_from_the_generations() -> None:
    """CLEAR's evaluation writes empty ROUGE columns, whose mean is NaN."""
    texts = {"0": ["[INST]", "a dog runs", "Running dogs"], "1": ["[INST]", "d c b a", "a b c d"]}
    log = parse_tofu_logs(small_logs(**{"eval_log.json": small_task(rougeL_recall={}, generated_text=texts)}), "x")
    assert log["retain"].rouge_l_recall.tolist() == [0.5, 0.25]


def test_defect_a_row_without_number_is_an_error_and_not_dropped() -> None:
    """Dropping a row that one column lacks pairs the others wrongly."""
    with pytest.raises(InputError, match=r"x: eval_log.json: avg_paraphrased_loss: row '1' is missing, not a number"):
        parse_tofu_logs(small_logs(**{"eval_log.json": small_task(avg_paraphrased_loss={"0": 1.0})}), "x")


def test_rows_are_ordered_by_number() -> None:
    column = {str(row): float(row) for row in (10, 2, 0)}
    task = small_task(
        avg_gt_loss=column,
        avg_paraphrased_loss=column,
        average_perturb_loss={row: [value] for row, value in column.items()},
        rougeL_recall={row: value / 10 for row, value in column.items()},
    )
    log = parse_tofu_logs(small_logs(**{"eval_log.json": task}), "x")["retain"]
    assert log.rouge_l_recall.tolist() == [0.0, 0.2, 1.0]


@pytest.mark.parametrize(
    ("logs", "message"),
    [
        ([], "holds no JSON object"),
        ({}, "has no 'eval_log.json'"),
        (small_logs(**{"eval_log.json": {}}), "has no 'avg_gt_loss'"),
        (small_logs(**{"eval_log.json": small_task(avg_gt_loss={})}), "no rows"),
        (small_logs(**{"eval_log.json": small_task(avg_gt_loss={"0": "x"})}), "row '0' is 'x', not a number"),
        (small_logs(**{"eval_log.json": small_task(avg_gt_loss={"0": True})}), "row '0' is True, not a number"),
        (small_logs(**{"eval_log.json": small_task(average_perturb_loss={"0": [], "1": [1.0]})}), "not a list"),
        (small_logs(**{"eval_log.json": small_task(rougeL_recall={})}), "has no 'generated_text'"),
        (
            small_logs(**{"eval_log.json": small_task(rougeL_recall={}, generated_text={"0": ["a"], "1": ["b"]})}),
            r"not \[prompt, said, expected\]",
        ),
    ],
)
def test_wrong_logs_are_named_in_one_line(logs: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_tofu_logs(logs, "x.json")
    assert str(caught.value).startswith("x.json: ")
    assert "\n" not in str(caught.value)


def test_nan_in_a_log_reaches_the_utility() -> None:
    logs = small_logs(**{"eval_log.json": small_task(avg_paraphrased_loss={"0": math.nan, "1": 2.0})})
    scores = score_tofu(parse_tofu_logs(logs, "x"))
    assert math.isnan(scores.per_task["retain"].truth_ratio)
    assert math.isnan(scores.model_utility)
