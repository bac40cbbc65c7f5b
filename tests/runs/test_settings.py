"""The description of a run: where values come from, what is refused, and that it comes back from YAML unchanged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.data.conftest import refused
from unsee.cli.unlearn import merged_settings, named_files
from unsee.errors import InputError
from unsee.methods import Method, build
from unsee.methods.kl import KL
from unsee.methods.npo import NPO
from unsee.runs.settings import L1, Lora, Settings, parse, read_yaml, with_assignments

LEAST: dict[str, Any] = {"model": "owner/name", "forget": "owner/rows", "out": "run"}


def test_resolved_settings_list_every_hyper_parameter() -> None:
    settings = parse({**LEAST, "hyper_parameters": {"beta": "0.25"}})
    assert settings.method == "npo"
    assert settings.hyper_parameters == {
        "beta": 0.25, "forget_weight": 1.0, "retain_weight": 1.0, "variant": "published",
    }  # fmt: skip


def test_settings_come_back_from_yaml(tmp_path: Path) -> None:
    settings = parse({**LEAST, "lora": 8, "parts": "language, vision", "learning_rate": "3e-5", "probes": {"a": "o/p"}})
    assert settings.parts == ("vision", "language")
    assert settings.lora == Lora(rank=8)
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump({"settings": settings.model_dump(mode="json", exclude={"out"}), "hashes": {}}))
    assert parse({**read_yaml(path), "out": "run"}) == settings


def test_a_method_is_built_once_and_another_one_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def counted(name: str, values: dict[str, Any]) -> Method:
        built.append(name)
        return build(name, values)

    monkeypatch.setattr("unsee.runs.settings.model.build", counted)
    settings = parse({**LEAST, "hyper_parameters": {"beta": "0.25"}})
    again = settings.model_copy(update={"seed": 3}).resolved()
    assert again.built_method is settings.built_method
    assert built == ["npo"]
    other = settings.model_copy(update={"hyper_parameters": {"beta": 0.5}})
    assert (other.built_method, settings.built_method) == (NPO(beta=0.5), NPO(beta=0.25))
    assert settings.model_copy(update={"method": "kl", "hyper_parameters": {}}).built_method == KL()


def test_a_method_that_was_built_is_no_setting() -> None:
    settings = parse(LEAST)
    assert settings.model_dump().keys() == Settings.model_fields.keys()
    assert settings == Settings(**settings.model_dump())  # of which none is built yet


def test_local_paths_become_absolute_and_hub_ids_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "rows.jsonl").write_text("")
    monkeypatch.chdir(tmp_path)
    given = {
        "model": "data",
        "forget": "rows.jsonl",
        "retain": "missing.jsonl",
        "preserve": "data:config",
        "probes": {"a": "owner/rows:config", "b": "x/y/z", "c": "data#test", "d": "data:config#test", "e": "a/b#test"},
    }
    settings = parse({**given, "out": "run"})
    assert settings.model == str(tmp_path / "data")
    assert settings.forget == str(tmp_path / "rows.jsonl")
    assert settings.retain == str(tmp_path / "missing.jsonl")
    assert settings.preserve == str(tmp_path / "data:config")
    assert settings.probes == {
        "a": "owner/rows:config",
        "b": str(tmp_path / "x/y/z"),
        "c": str(tmp_path / "data#test"),
        "d": str(tmp_path / "data:config#test"),
        "e": "a/b#test",
    }
    assert settings.out == "run"


def test_paths_in_a_file_start_at_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "experiment"
    (folder / "model").mkdir(parents=True)
    content = {
        "model": "model",
        "forget": "f.jsonl",
        "retain": "owner/rows",
        "probes": {"a": "p.jsonl"},
        "lexicon": ["coco", "words.txt"],
        "out": "../run",
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(content))
    values = read_yaml(folder / "mine.yaml")
    assert values["model"] == str(folder / "model")
    assert values["forget"] == str(folder / "f.jsonl")
    assert values["retain"] == "owner/rows"
    assert values["probes"] == {"a": str(folder / "p.jsonl")}
    assert values["out"] == str(tmp_path / "run")
    assert parse(values).lexicon == ("coco", str(folder / "words.txt"))
    assert parse({**LEAST, "lexicon": "words.txt"}).lexicon == (str(Path("words.txt").absolute()),)
    assert parse(values).model == str(folder / "model")


def test_home_is_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = parse({**LEAST, "model": "~/model", "out": "~/run"})
    assert (settings.model, settings.out) == (str(tmp_path / "model"), str(tmp_path / "run"))


def test_flags_win_over_the_file_and_set_over_both(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        yaml.safe_dump({**LEAST, "seed": 1, "epochs": 2, "parts": ["vision"], "hyper_parameters": {"beta": 0.5}})
    )
    settings = merged_settings(path, {"parts": "language", "model": None, "probes": {}}, ["seed=7", "beta=0.2"])
    assert (settings.seed, settings.epochs, settings.parts) == (7, 2.0, ("language",))
    assert settings.hyper_parameters["beta"] == 0.2
    assert settings.model == "owner/name"


def test_another_method_leaves_the_hyper_parameters_of_the_file_behind(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**LEAST, "method": "npo", "hyper_parameters": {"beta": 0.5}}))
    assert merged_settings(path, {"method": "npo"}, []).hyper_parameters["beta"] == 0.5
    other = merged_settings(path, {"method": "mmunlearner"}, ["gamma=2"])
    defaults = {"gamma_vision": "gamma", "forget_weight": 1.0, "retain_weight": 1.0, "ceiling": 0.0, "retain_steps": 1}
    assert other.hyper_parameters.items() >= {"gamma": 2.0, **defaults}.items()
    assert "beta" not in other.hyper_parameters
    assert merged_settings(path, {}, ["method=grad_diff"]).method == "grad_diff"


def test_the_norm_of_adapters_is_a_number_or_has_keys_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**LEAST, "lora": 8, "l1": 0.5}))
    assert merged_settings(path, {}, []).l1 == L1(weight=0.5, of="factors")
    assert merged_settings(path, {}, ["l1.of=product"]).l1 == L1(weight=0.5, of="product")
    assert merged_settings(path, {}, ["l1.weight=1e-3"]).l1 == L1(weight=1e-3)
    assert merged_settings(path, {}, ["l1=null"]).l1 is None
    assert parse({**LEAST, "l1": {"of": "product"}}).l1 == L1(weight=0.01, of="product")
    for values, complaint in (
        ({"l1": {"wieght": 1}}, "unknown key 'l1.wieght' .did you mean 'weight'"),
        ({"l1": 0}, "l1.weight=0: input should be greater than 0"),
        ({"l1": {"of": "weights"}}, "l1.of='weights'"),
    ):
        with pytest.raises(InputError, match=complaint):
            parse({**LEAST, **values})


@pytest.mark.parametrize("held", [8, {"rank": 8, "alpha": 32}])
def test_rank_and_scale_of_adapters(tmp_path: Path, held: object) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**LEAST, "lora": held}))
    alpha = held["alpha"] if isinstance(held, dict) else 16
    assert merged_settings(path, {}, []).lora == Lora(rank=8, alpha=alpha)
    assert merged_settings(path, {"lora": 4}, []).lora == Lora(rank=4, alpha=alpha)
    assert merged_settings(path, {"lora": 4}, ["lora.alpha=8"]).lora == Lora(rank=4, alpha=8)
    assert merged_settings(path, {}, ["lora.dropout=0.5"]).lora == Lora(rank=8, alpha=alpha, dropout=0.5)


@pytest.mark.parametrize(
    ("assignment", "key", "value"),
    [
        ("learning_rate=1e-5", "learning_rate", 1e-5),
        ("epochs=3", "epochs", 3.0),
        ("autocast=true", "autocast", True),
        ("max_steps=null", "max_steps", None),
        ("retain=null", "retain", None),
        ("probes={seen: owner/rows}", "probes", {"seen": "owner/rows"}),
        ("scheduler=cosine", "scheduler", "cosine"),
        ("parts=vision,projector", "parts", ("vision", "projector")),
        ("parts=[vision]", "parts", ("vision",)),
        ("model=123/456", "model", "123/456"),
        ("retain=1e-5/x", "retain", "1e-5/x"),
    ],
)
def test_assignments(assignment: str, key: str, value: object) -> None:
    assert getattr(parse(with_assignments(LEAST, [assignment])), key) == value


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": ""}, "settings: model='': string should have at least 1 character"),
        ({"lora": {"rnk": 4}}, "settings: unknown key 'lora.rnk' (did you mean 'rank'?)"),
        ({"lora": "many"}, "settings: lora='many': input should be a valid dictionary or instance of lora"),
        ({"parts": []}, "settings: parts: none given; choose one or more of vision, projector, language"),
        ({"seed": -1}, "settings: seed=-1: input should be greater than or equal to 0"),
        ({"batch_size": 0}, "settings: batch_size=0: input should be greater than or equal to 1"),
        ({"learning_rate": float("nan")}, "settings: learning_rate=nan: input should be a finite number"),
        (
            {"hyper_parameters": {"beta": float("inf")}},
            "settings: hyper_parameters.beta=inf: input should be a finite number",
        ),
        (
            {"hyper_parameters": {"bta": 1}},
            "npo: no hyper-parameter 'bta' (did you mean 'beta'?); it has beta, forget_weight, retain_weight, variant",
        ),
        ({"probes": {"../x": "p.jsonl"}}, "probes: '../x' cannot name a file; use letters, digits, _, - and ."),
        ({"scheduler": "cosin"}, "settings: scheduler='cosin': input should be 'constant', 'linear' or 'cosine'"),
    ],
)
def test_what_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse({**LEAST, **values})
    assert str(caught.value) == message


def test_a_missing_key_is_explained() -> None:
    with pytest.raises(InputError, match=r"mine: forget is missing \(rows to be forgotten: a JSONL"):
        parse({"model": "a/b", "out": "run"}, "mine")


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_named_files() -> None:
    assert named_files(["a=b", "c=d=e"]) == {"a": "b", "c": "d=e"}


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: [1\nb: }")
    with pytest.raises(InputError, match=rf"{path}, line 2: not YAML"):
        read_yaml(path)
    path.write_text("!!python/object/apply:os.system [echo]")
    with pytest.raises(InputError, match="not YAML"):
        read_yaml(path)
    assert os.listdir(tmp_path) == ["x.yaml"]


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("seed=010", "seed", 10),
        ("seed=08", "seed", 8),
        ("learning_rate=1e-5", "learning_rate", 1e-5),
        ("learning_rate=1E-5", "learning_rate", 1e-5),
        ("autocast=yes", "autocast", True),
        ("autocast=off", "autocast", False),
        ("batch_size=1_000", "batch_size", 1000),
    ],
)
def test_settings_given_as_text_mean_what_a_person_reads(tmp_path: Path, text: str, key: str, value: object) -> None:
    given = {"model": "m", "forget": "f", "out": "o"}
    assert getattr(parse(with_assignments(given, [text])), key) == value
    (tmp_path / "run.yaml").write_text(f"model: m\nforget: f\n{text.replace('=', ': ')}\n")
    assert getattr(parse({**read_yaml(tmp_path / "run.yaml"), "out": "o"}), key) == value


def test_words_that_look_like_numbers_stay_words() -> None:
    assert parse(with_assignments(LEAST, ["out=010", "forget=1e5"])).out == "010"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("seed=1:30", "seed='1:30'"),
        ("seed=yes", "seed='yes'"),
        ("seed=true", "seed=true: true and false belong elsewhere"),
        ("learning_rate=false", "learning_rate=false: true and false belong elsewhere"),
        ("lora.rank=true", "lora.rank=true: true and false"),
        ("guard.drop=true", "guard.drop=true: true and false"),
        ("beta=true", "hyper_parameters.beta=true: true and false"),
        ("l1.weight=.nan", "l1.weight=nan"),
        ("learning_rate=.inf", "learning_rate=inf"),
    ],
)
def test_what_is_no_number_is_not_taken_for_one(text: str, problem: str) -> None:
    given = {"model": "m", "forget": "f", "out": "o", "lora": {"rank": 2}}
    assert problem in refused(lambda: parse(with_assignments(given, [text])))


def test_a_key_twice_in_a_file_of_settings_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("model: m\nseed: 1\nseed: 2\n")
    assert "run.yaml, line 3: 'seed' twice in one mapping; keep one" in refused(read_yaml, tmp_path / "run.yaml")
