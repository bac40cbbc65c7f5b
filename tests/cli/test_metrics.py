"""`unsee metrics`: what it prints, and what it says to wrong input."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.commandline import call
from tests.metrics.shared_data import shared
from unsee.benchmarks.tofu.score import LOG_OF_TASK
from unsee.cli.metrics import app, chair_scores, tofu_scores
from unsee.cli.metrics_amber import amber_scores
from unsee.cli.metrics_pope import pope_scores
from unsee.cli.metrics_text import text_scores
from unsee.errors import InputError

Write = Callable[[str, Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: Any) -> Path:
        path = tmp_path / name
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


def printed(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def tofu_log(shift: float = 0.0) -> dict[str, Any]:
    rows = {str(row): row / 10 + shift for row in range(5)}
    task = {
        "avg_gt_loss": rows,
        "avg_paraphrased_loss": {row: 2 * value for row, value in rows.items()},
        "average_perturb_loss": {row: [1.0, 2.0] for row in rows},
        "rougeL_recall": dict.fromkeys(rows, 0.5),
    }
    return dict.fromkeys(LOG_OF_TASK.values(), task)


CAPTIONS = [{"image_id": 1, "caption": "A dog and a cat."}, {"image_id": 2, "caption": "A dog here"}]
GOLD = {"1": ["dog"], "2": ["dog"]}
SYNONYMS = "dog, puppy\ncat, kitten\n"
QUESTIONS = [
    {"question_id": 1, "image": "a.jpg", "text": "Is there a dog in the image?", "label": "yes"},
    {"question_id": 2, "image": "a.jpg", "text": "Is there a cat in the image?", "label": "no"},
]
ANSWERS = [
    {"question": "is there a dog in the image?", "answer": "Yes, there is."},
    {"question": "is there a cat in the image?", "answer": "YES"},
]

RESPONSES = [
    {"id": 1, "response": "A dog under a cloud, and a sign."},
    {"id": 2, "response": "Two people."},
    {"id": 3, "response": "No."},
    {"id": 4, "response": "No, there is not."},
    {"id": 5, "response": "Yes"},
]
ANNOTATIONS = [
    {"id": 1, "type": "generative", "truth": ["dog", "person"], "hallu": ["cloud", "bird"]},
    {"id": 2, "type": "generative", "truth": ["Person"], "hallu": []},
    {"id": 3, "type": "discriminative-hallucination", "truth": "no"},
    {"id": 4, "type": "discriminative-attribute-number", "truth": "yes"},
    {"id": 5, "type": "relation", "truth": "no"},
    {"id": 6, "type": "discriminative-relation", "truth": "yes"},
]
RELATIONS = {"dog": [], "person": ["people"], "cloud": [], "bird": [], "sign": []}


def test_tofu_json(write: Write) -> None:
    scores = json.loads(printed("tofu", write("a.json", tofu_log()), "--json"))
    assert list(scores) == [
        "model_utility",
        "forget_quality",
        "log_forget_quality",
        "ks_statistic",
        "truth_ratio_forget",
        "per_task",
    ]
    assert scores["forget_quality"] is None
    assert list(scores["per_task"]) == ["retain", "real_authors", "real_world", "forget"]
    assert scores["per_task"]["forget"]["truth_ratio"] == scores["truth_ratio_forget"]
    gold = write("b.json", tofu_log(9.0))
    scores = json.loads(printed("tofu", write("a.json", tofu_log()), "--retain", gold, "--json"))
    assert scores["ks_statistic"] == 1.0
    assert scores["forget_quality"] == pytest.approx(2 / 252, abs=1e-15)  # C(10, 5) = 252 orders, two fully apart


def test_tofu_on_published_logs() -> None:
    expected = json.loads(shared("data", "tofu", "expected.json").read_text())
    started = time.perf_counter()
    for pair in expected["forget_quality"]:
        of_run, of_retain = (shared("data", "tofu", f"{pair[side]}.json") for side in ("ckpt", "retain"))
        scores = tofu_scores(of_run, of_retain)
        utility = expected["utilities"][pair["ckpt"]]["utility"]["Model Utility"]
        assert scores["model_utility"] == pytest.approx(utility, abs=1e-12)
        assert scores["log_forget_quality"] == pytest.approx(pair["log_forget_quality"], abs=1e-12)
    assert time.perf_counter() - started < 5


def test_chair_json(write: Write) -> None:
    paths = write("c.jsonl", CAPTIONS), write("g.json", GOLD), write("s.txt", SYNONYMS)
    arguments = ["chair", "--captions", paths[0], "--gold", paths[1], "--synonyms", paths[2], "--json"]
    # 3 mentions, the cat hallucinated; 5 and 3 words
    assert json.loads(printed(*arguments)) == {
        "chair_s": 50.0,
        "chair_i": pytest.approx(100 / 3),
        "chair_i_unique": pytest.approx(100 / 3),
        "recall": 100.0,
        "mean_words": 4.0,
        "captions": 2,
    }
    shorter = [{"image_id": "2", "caption": "A cat in the rain"}, {"image_id": 1, "caption": "A dog"}]
    scores = json.loads(printed(*arguments, "--match", write("m.jsonl", shorter)))
    # cut to 2 and 3 words: "A dog", "A dog here" and "A dog", "A cat in"
    assert (scores["chair_s_matched"], scores["chair_i_matched"]) == (0.0, 0.0)
    assert (scores["other_chair_s_matched"], scores["other_chair_i_matched"]) == (50.0, 50.0)


def test_text_json(write: Write) -> None:
    captions = write("c.jsonl", CAPTIONS)
    varied = json.loads(printed("text", "--captions", captions, "--json"))
    # a dog and a cat a dog here: 8 words, 5 different; 6 pairs, "a dog" twice
    assert varied == {"captions": 2, "mean_words": 4.0, "distinct_1": 5 / 8, "distinct_2": 5 / 6}
    references = {"1": ["A bird", "A dog and a cat!"], "2": "a dog here"}
    arguments = ["text", "--captions", captions, "--references"]
    same = json.loads(printed(*arguments, write("r.json", references), "--json"))
    assert [same[name] for name in ("bleu_1", "bleu_4", "rouge_1_f1", "rouge_l_f1")] == pytest.approx([1.0] * 4)
    other = json.loads(printed(*arguments, write("o.json", {"1": ["A dog"], "2": ["rain"]}), "--json"))
    assert other["rouge_1_f1"] == pytest.approx((2 * (2 / 5) / (7 / 5) + 0) / 2)  # precision 2/5, recall 1; and nothing
    assert other["bleu_1"] == pytest.approx(2 / 8)


@pytest.mark.parametrize(
    ("captions", "references", "said"),
    [
        ([{"image_id": 1}], {"1": ["x"]}, "c.jsonl, line 1: a row is"),
        ([], {"1": ["x"]}, "holds no captions"),
        (CAPTIONS, {"1": ["x"]}, "has no reference for image '2'"),
        (CAPTIONS, {"1": ["x"], "2": []}, "image '2' has no list of texts"),
        (CAPTIONS, [{"1": "x"}], "must be one JSON object"),
    ],
)
def test_wrong_texts_are_refused(write: Write, captions: Any, references: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        text_scores(write("c.jsonl", captions), write("r.json", json.dumps(references)))


def test_pope_json(write: Write) -> None:
    arguments = ["pope", "--questions", write("q.jsonl", QUESTIONS), "--answers", write("a.jsonl", ANSWERS), "--json"]
    expected = {"accuracy": 0.5, "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "yes_ratio": 1.0}
    assert json.loads(printed(*arguments)) == expected
    never = [{"answer": "no"}, {"answer": "no"}]
    scores = json.loads(printed(*arguments[:3], "--answers", write("n.jsonl", never), "--json"))
    assert scores["precision"] is None  # no number, and no NaN, which is no JSON
    assert scores["f1"] == 0.0


def test_pope_on_published_questions(write: Write) -> None:
    questions = shared("data", "pope", "coco_pope_adversarial.jsonl")
    rows = [json.loads(line) for line in questions.open(encoding="utf-8")]
    answers = [{"question": row["text"], "answer": row["label"].capitalize() + "."} for row in rows]
    assert pope_scores(questions, write("a.jsonl", answers)) == {
        "accuracy": 1.0,
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "yes_ratio": 0.5,
    }


def test_amber_json(write: Write) -> None:
    files = "--annotations", write("a.json", json.dumps(ANNOTATIONS)), "--relations", write("r.json", RELATIONS)
    responses = write("o.json", json.dumps(RESPONSES))
    scores = json.loads(
        printed("amber", "--responses", responses, *files, "--safe-words", write("s", "sign\n"), "--json")
    )
    # 4 mentions: dog and people are there, the cloud is a target, the sign is safe; 2 of 3 objects, 1 of 2 targets;
    # 8 and 2 words. No is said twice, of which once rightly, and right twice: F1 = 2 / (2 + 2)
    dimensions = scores.pop("dimensions")
    assert scores == {
        "chair": 25.0,
        "cover": pytest.approx(200 / 3),
        "hal": 50.0,
        "cog": 25.0,
        "cog_repo": 50.0,
        "mean_words": 5.0,
        "responses": 2,
        "accuracy": pytest.approx(100 / 3),
        "precision": 50.0,
        "recall": 50.0,
        "f1": 50.0,
        "questions": 3,
        "amber_score": 62.5,
    }
    assert list(dimensions) == ["existence", "attribute", "relation"]
    wrong = {"accuracy": 0.0, "precision": 0.0, "recall": None, "f1": 0.0, "questions": 1}
    assert dimensions["attribute"] == wrong
    assert dimensions["existence"] == {**dict.fromkeys(wrong, 100.0), "questions": 1}
    # the sign is hallucinated without the list; and one response a line does as well
    scores = json.loads(printed("amber", "--responses", write("o.jsonl", RESPONSES), *files, "--json"))
    assert (scores["chair"], scores["cog"], scores["amber_score"]) == (50.0, 25.0, 50.0)


def test_amber_without_one_of_its_tasks(write: Write) -> None:
    files = write("a.json", json.dumps(ANNOTATIONS)), write("r.json", RELATIONS)
    described = amber_scores(write("o.jsonl", RESPONSES[:2]), *files)
    assert (described["responses"], described["questions"]) == (2, 0)
    assert math.isnan(described["f1"])
    assert math.isnan(described["amber_score"])
    answered = amber_scores(write("o.jsonl", RESPONSES[2:]), *files)
    assert (answered["responses"], answered["f1"]) == (0, 50.0)
    assert all(math.isnan(answered[name]) for name in ("chair", "cover", "hal", "cog", "mean_words", "amber_score"))


def test_tables_for_people(write: Write) -> None:
    text = printed("tofu", write("a.json", tofu_log()))
    assert "model_utility" in text
    assert "real_authors" in text
    paths = write("c.jsonl", CAPTIONS), write("g.json", GOLD), write("s.txt", SYNONYMS)
    assert "33.33" in printed("chair", "--captions", paths[0], "--gold", paths[1], "--synonyms", paths[2])
    assert "yes_ratio" in printed("pope", "--questions", write("q.jsonl", QUESTIONS), "--answers", write("a", ANSWERS))
    files = write("o.jsonl", RESPONSES), write("n.jsonl", ANNOTATIONS), write("r.json", RELATIONS)
    text = printed("amber", "--responses", files[0], "--annotations", files[1], "--relations", files[2])
    assert "66.67" in text
    assert "existence" in text


@pytest.mark.parametrize(
    ("captions", "gold", "synonyms", "message"),
    [
        ([{"image_id": 9, "caption": "x"}], GOLD, SYNONYMS, "c.jsonl, line 1: image 9 is not in .*g.json; give its"),
        ([{"image_id": 1}], GOLD, SYNONYMS, "c.jsonl, line 1: caption is missing; it must be text"),
        ([{"caption": "x"}], GOLD, SYNONYMS, "c.jsonl, line 1: image_id is missing"),
        ([], GOLD, SYNONYMS, "c.jsonl: holds no captions"),
        ("{", GOLD, SYNONYMS, "c.jsonl, line 1: broken JSON"),
        (CAPTIONS, "[]", SYNONYMS, "g.json: must be one JSON object"),
        (CAPTIONS, {"1": "dog"}, SYNONYMS, "g.json: image '1' has 'dog'; give a list"),
        (CAPTIONS, {"1": ["unicorn"]}, SYNONYMS, "g.json: image '1' shows 'unicorn', which no line of the synonyms"),
        (CAPTIONS, GOLD, "\n", "s.txt: holds no names"),
    ],
)
def test_wrong_captions(write: Write, captions: Any, gold: Any, synonyms: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        chair_scores(write("c.jsonl", captions), write("g.json", gold), write("s.txt", synonyms))
    assert "\n" not in str(caught.value)


def test_match_must_describe_the_same_images(write: Write) -> None:
    paths = write("c.jsonl", CAPTIONS), write("g.json", GOLD), write("s.txt", SYNONYMS), write("m.jsonl", CAPTIONS[:1])
    with pytest.raises(InputError, match=r"m\.jsonl: has no caption of image '2'"):
        chair_scores(*paths)


@pytest.mark.parametrize(
    ("questions", "answers", "message"),
    [
        ([], [], "q.jsonl: holds no questions"),
        (QUESTIONS, ANSWERS[:1], "a.jsonl: 1 answers, but .*q.jsonl has 2 questions"),
        (QUESTIONS, ANSWERS[::-1], "a.jsonl, line 1: answers 'is there a cat.*keep the questions' order"),
        (QUESTIONS, [{"answer": 1}, {}], "a.jsonl, line 1: answer is 1; it must be text"),
        ([{"text": "?", "label": "Yes"}], ANSWERS[:1], "q.jsonl, line 1: label is 'Yes'; it is 'yes' or 'no'"),
        ([{"label": "yes"}], ANSWERS[:1], "q.jsonl, line 1: text is missing"),
    ],
)
def test_wrong_answers(write: Write, questions: Any, answers: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        pope_scores(write("q.jsonl", questions), write("a.jsonl", answers))
    assert "\n" not in str(caught.value)


PICTURE, QUESTION = ANNOTATIONS[0], ANNOTATIONS[2]


@pytest.mark.parametrize(
    ("responses", "annotations", "relations", "message"),
    [
        ([], ANNOTATIONS, RELATIONS, "o.jsonl: holds no responses"),
        ([{"id": 9, "response": ""}], ANNOTATIONS, RELATIONS, "o.jsonl, line 1: id 9 is not in .*a.jsonl; respond to"),
        (RESPONSES[:1] * 2, ANNOTATIONS, RELATIONS, "o.jsonl, line 2: id 1 has a response already"),
        ([{"id": 1}], ANNOTATIONS, RELATIONS, "o.jsonl, line 1: response is missing; it must be text"),
        ([{"response": "A dog"}], ANNOTATIONS, RELATIONS, "o.jsonl, line 1: id is missing"),
        ("[", ANNOTATIONS, RELATIONS, "o.jsonl, line 1: broken JSON"),
        (RESPONSES, ANNOTATIONS[:1] * 2, RELATIONS, "a.jsonl, line 2: id 1 is annotated already"),
        (RESPONSES, [PICTURE | {"type": "pope"}], RELATIONS, "a.jsonl, line 1: type is 'pope'; it is generative"),
        (RESPONSES, [PICTURE | {"truth": "dog"}], RELATIONS, "a.jsonl, line 1: truth is 'dog'; it must be a list"),
        (RESPONSES, [PICTURE | {"hallu": None}], RELATIONS, "a.jsonl, line 1: hallu is missing; it must be a list"),
        (RESPONSES, [QUESTION | {"truth": "No"}], RELATIONS, "a.jsonl, line 1: truth is 'No'; it is 'yes' or 'no'"),
        (RESPONSES, ANNOTATIONS, {"dog": []}, "a.jsonl, id 1: 'person' is not in .*r.json; add it there"),
        (RESPONSES, ANNOTATIONS, "[]", "r.json: must be one JSON object"),
    ],
)
def test_wrong_responses(write: Write, responses: Any, annotations: Any, relations: Any, message: str) -> None:
    paths = write("o.jsonl", responses), write("a.jsonl", annotations), write("r.json", relations)
    with pytest.raises(InputError, match=message) as caught:
        amber_scores(*paths)
    assert "\n" not in str(caught.value)


def test_wrong_amber_files_end_in_one_line_and_exit_code_2(write: Write, tmp_path: Path) -> None:
    good = {
        "--responses": write("o.jsonl", RESPONSES),
        "--annotations": write("a.jsonl", ANNOTATIONS),
        "--relations": write("r.json", RELATIONS),
    }
    for option, wrong, message in (
        ("--responses", write("map.json", {"1": "A dog"}), "map.json: must be one JSON list of objects"),
        ("--responses", write("o.json", "[1]"), "o.json, entry 1: 1 where an object is expected"),
        ("--annotations", write("a.json", RELATIONS), "a.json: must be one JSON list of objects"),
        ("--relations", good["--responses"], "broken JSON"),
        ("--safe-words", tmp_path / "missing.txt", "cannot read"),
    ):
        outcome = call("metrics", "amber", *(part for pair in (good | {option: wrong}).items() for part in pair))
        (line,) = outcome.err.splitlines()
        assert (outcome.code, outcome.out) == (2, "")
        assert message in line


def test_wrong_options_and_files(write: Write, tmp_path: Path) -> None:
    logs = write("a.json", tofu_log())
    with pytest.raises(InputError, match="--truth-ratio is 'mean'; it is one of geometric, arithmetic, clear_repo"):
        tofu_scores(logs, truth_ratio="mean")
    with pytest.raises(InputError, match="--parser is 'strict'; it is one of official, tolerant"):
        pope_scores(logs, logs, parser="strict")
    with pytest.raises(InputError, match=r"cannot read .*missing\.json"):
        tofu_scores(tmp_path / "missing.json")
    with pytest.raises(InputError, match=r"b\.json: has no 'eval_log\.json'"):
        tofu_scores(logs, write("b.json", {}))


# Rows are matched by identity, values are checked.


def pope_files(write: Write, answers: list[dict[str, Any]]) -> tuple[Path, Path]:
    asked = [{**row, "image": f"{row['question_id']}.jpg"} for row in QUESTIONS]
    return write("q.jsonl", asked), write("a.jsonl", answers)


@pytest.mark.parametrize("key", ["question_id", "id"])
def test_pope_answers_with_ids_are_matched_by_them_and_not_by_place(key: str, write: Write) -> None:
    answers: list[dict[str, Any]] = [{key: 2, "answer": "No"}, {key: 1, "answer": "Yes"}]
    for order in (answers, answers[::-1]):
        assert pope_scores(*pope_files(write, order))["accuracy"] == 1


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([{"question_id": 1, "answer": "Yes"}] * 2, "line 2: id 1 has an answer already"),
        ([{"question_id": 1, "answer": "Yes"}, {"question_id": 7, "answer": "No"}], "line 2: id 7 is not in"),
        ([{"image": "2.jpg", "answer": "No"}, {"image": "1.jpg", "answer": "Yes"}], "line 1: answers about '2.jpg'"),
        (
            [{"question_id": 1, "question": "Is there a cat in the image?", "answer": "Yes"}, {"question_id": 2}],
            "line 1: answers 'Is there a cat",
        ),
    ],
)
def test_pope_answers_to_something_else_are_refused(answers: list[dict[str, Any]], message: str, write: Write) -> None:
    with pytest.raises(InputError, match=message):
        pope_scores(*pope_files(write, answers))


def test_several_captions_of_an_image_are_matched_one_by_one(write: Write) -> None:
    """The last one of an image stood for all of them."""
    first = [{"image_id": 1, "caption": "A dog and a cat"}, {"image_id": 1, "caption": "A dog"}]
    other = [{"image_id": 1, "caption": "A cat here"}, {"image_id": 1, "caption": "A dog sits on a cat"}]
    files = write("c.jsonl", first), write("g.json", GOLD), write("s.txt", SYNONYMS)
    scores = chair_scores(*files, write("m.jsonl", other))
    # Cut to 3 and 2 words: "A dog and", "A dog" and "A cat here", "A dog".
    assert (scores["chair_s_matched"], scores["other_chair_s_matched"]) == (0.0, 50.0)
    with pytest.raises(
        InputError, match=r"m\.jsonl: has 3 captions of image '1', of which .*c\.jsonl has 2; .*one by one"
    ):
        chair_scores(*files, write("m.jsonl", [*other, other[0]]))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("avg_gt_loss", -3.0, "avg_gt_loss: row '1' is -3, not a loss of 0 or more"),
        ("average_perturb_loss", [1.0, -0.5], "average_perturb_loss: row '1': row '1' is -0.5, not a loss"),
        ("rougeL_recall", 5.0, "rougeL_recall: row '1' is 5, not a share between 0 and 1"),
        ("rougeL_recall", -0.1, "rougeL_recall: row '1' is -0.1, not a share between 0 and 1"),
    ],
)
def test_tofu_values_that_cannot_be_are_refused(column: str, value: Any, message: str, write: Write) -> None:
    logs = tofu_log()
    task = logs["eval_log_forget.json"]
    logs["eval_log_forget.json"] = {**task, column: {**task[column], "1": value}}
    with pytest.raises(InputError, match=r"eval_log_forget\.json: " + message):
        tofu_scores(write("a.json", logs))


@pytest.mark.parametrize("name", ["captions_llava_long.jsonl", "captions_minigpt4_short.jsonl"])
def test_official_words_give_the_published_rates_to_the_digit(name: str) -> None:
    gold, synonyms = shared("data", "chair", "gold_objects.json"), shared("data", "chair", "synonyms.txt")
    found = chair_scores(shared("data", "chair", name), gold, synonyms, words="official")
    expected = json.loads(shared("data", "chair", "expected.json").read_text())[name]
    official, ours = found["words"]["official"], found["words"]["unsee"]
    rates = [round(official[key], 2) for key in ("chair_s", "chair_i")]
    assert rates == [expected["CHAIR_S"], expected["CHAIR_I"]]
    assert ours == {key: value for key, value in found.items() if key != "words"}
    assert ours["chair_s"] != official["chair_s"]


def test_official_words_are_named_in_the_table_and_refused_without_their_package(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions = write("c.jsonl", [{"image_id": 1, "caption": "A bus, two buses and a tie."}])
    gold, synonyms = write("g.json", {"1": []}), write("s.txt", "bus\ntie\n")
    given = ["chair", "--captions", captions, "--gold", gold, "--synonyms", synonyms]
    shown = printed(*given, "--words", "official")
    assert [line.split()[0] for line in shown.splitlines() if line.split()[:1] in (["unsee"], ["official"])] == [
        "unsee",
        "official",
    ]
    with pytest.raises(InputError, match="--words is 'theirs'; it is one of unsee, official"):
        chair_scores(captions, gold, synonyms, words="theirs")
    monkeypatch.setitem(sys.modules, "textblob.en.inflect", None)
    with pytest.raises(InputError, match=r"--words official needs the package TextBlob; pip install 'unsee\[chair\]'"):
        chair_scores(captions, gold, synonyms, words="official")
