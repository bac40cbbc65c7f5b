"""The exported world has the columns, types and sizes of the benchmark whose place it takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unsee.benchmarks import find, load_benchmark
from unsee.benchmarks.clear.score import score_clear
from unsee.benchmarks.schemas import arrow_schema
from unsee.data.pictures import decode
from unsee.errors import InputError
from unsee.evaluation.measure import measure_all
from unsee.system.files import read_json
from unsee.vlm import load
from unsee.world import FACTS, World
from unsee.world.layouts import export
from unsee.world.layouts.clear import ClearLayout
from unsee.world.layouts.exported import exported_world, prepare_exported, training_rows
from unsee.world.layouts.mllmu import MllmuLayout
from unsee.world.people.captions import ACCESSORY, CLOTHES, FACIAL_HAIR, caption, clothes_of, head_of
from unsee.world.people.looks import ACCESSORIES, FACIAL_HAIRS
from unsee.world.people.looks import CLOTHES as ALL_CLOTHES

PICTURE = "struct<bytes: binary, path: string>"
CAPTIONS = {"image": PICTURE, "caption": "string", "name": "string"}
UNION = {"image": PICTURE, "caption": "string", "question": "string", "answer": "string"}
PERTURBED = {
    **CAPTIONS,
    "paraphrased_caption": "string",
    "perturbed_captions": "list<element: string>",
    "perturbed_names": "list<element: string>",
}
CHOICE = "struct<Correct_Answer: string, Options: struct<A: string, B: string, C: string, D: string>, Question: string>"
ITEMS = "list<element: struct<Ground_Truth: string, Question: string, Type: string>>"
PROFILE = {
    "image": PICTURE,
    "ID": "string",
    "biography": "string",
    "question": "string",
    "answer": "string",
    "Classification_Task": f"struct<Image_Textual_Questions: list<element: {CHOICE}>, "
    f"Pure_Text_Questions: list<element: {CHOICE}>>",
    "Generation_Task": ITEMS,
    "Mask_Task": ITEMS,
}
UMU = {
    **{"ID": "string", "image": PICTURE, "Biography": "string"},
    **dict.fromkeys(("MM_QA", "UM_QA", "Classify", "Cloze", "Generation"), "string"),
}
EXPECTED = {
    "umu": {
        **dict.fromkeys(("Full_Set", "Real_Person_Set", "forget_5", "forget_10", "forget_15"), UMU),
        **dict.fromkeys(("retain_95", "retain_90", "retain_85"), UMU),
    },
    "clear": {
        **dict.fromkeys(("default", "full", "forget01", "forget05", "forget10"), CAPTIONS),
        **dict.fromkeys(("retain99", "retain95", "retain90"), CAPTIONS),
        **dict.fromkeys(("full+tofu", "forget01+tofu", "forget05+tofu", "forget10+tofu"), UNION),
        **dict.fromkeys(("retain99+tofu", "retain95+tofu", "retain90+tofu"), UNION),
        **dict.fromkeys(("forget01_perturbed", "forget05_perturbed", "forget10_perturbed"), PERTURBED),
        "retain_perturbed": PERTURBED,
        "real_faces": {"image": PICTURE, "answer": "string", "options": "list<element: string>"},
        "real_world": {"question": "string", "image": PICTURE, "answer": "string", "options": "list<element: string>"},
    },
    "mllmu": {
        **dict.fromkeys(("forget_5", "forget_10", "forget_15"), PROFILE),
        **dict.fromkeys(("retain_95", "retain_90", "retain_85", "Retain_Set"), PROFILE),
        "Full_Set": {"image": PICTURE, "ID": "string", "Directory": "string", **PROFILE},
        "Test_Set": {
            "images": f"list<element: {PICTURE}>",
            **{name: kind for name, kind in PROFILE.items() if name != "image"},
        },
        "ft_Data": {"image": PICTURE, "ID": "string", "metadata": "string"},
    },
}


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=4, people=20, photos=2, held_out_photos=2)


@pytest.fixture(scope="module")
def folders(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("exports")
    return {layout: export.export(world, layout, base / layout).folder for layout in EXPECTED}


def table_of(folder: Path, config: str) -> pa.Table:
    return pq.read_table(folder / ("data" if config == "default" else config) / "train-00000-of-00001.parquet")


@pytest.mark.parametrize("layout", EXPECTED)
def test_columns_and_types_are_exactly_those_of_the_benchmark(folders: dict[str, Path], layout: str) -> None:
    assert set(EXPECTED[layout]) == set(find(layout).columns)
    for config, columns in EXPECTED[layout].items():
        schema = table_of(folders[layout], config).schema
        assert {field.name: str(field.type).replace("item:", "element:") for field in schema} == columns, config
        assert schema.names == list(columns), config


@pytest.mark.parametrize(
    ("layout", "config"), [("clear", "forget10_perturbed"), ("mllmu", "Test_Set"), ("umu", "forget_5")]
)
def test_datasets_reads_the_folder_like_the_original(folders: dict[str, Path], layout: str, config: str) -> None:
    loaded = datasets.load_dataset(str(folders[layout]), config, split="train", streaming=True)
    row = next(iter(loaded))
    picture = row["images"][0] if config == "Test_Set" else row["image"]
    assert picture.size == (64, 64)
    assert loaded.features == datasets.Features.from_arrow_schema(arrow_schema(find(layout).columns[config]))
    told, kind = {"clear": ("perturbed_names", list), "mllmu": ("Mask_Task", list), "umu": ("Cloze", str)}[layout]
    assert isinstance(row[told], kind)


def test_two_hundred_people_are_a_world_as_large_as_clear() -> None:
    layout = ClearLayout(World(people=200))
    count = {config: layout.config(config)[0] for config in find("clear").columns}
    assert 3600 <= count["full"] <= 3800
    for share, people in (("01", 2), ("05", 10), ("10", 20)):
        retain = f"retain{100 - int(share)}"
        assert 17 * people <= count[f"forget{share}"] <= 20 * people
        assert count[f"forget{share}"] + count[retain] == count["full"] == count["default"]
        assert count[f"forget{share}+tofu"] == count[f"forget{share}"] + 20 * people
        assert count[f"{retain}+tofu"] == count[retain] + 20 * (200 - people)
        assert count[f"forget{share}_perturbed"] == count[f"forget{share}"]
    assert count["full+tofu"] == count["full"] + 4000
    assert (count["retain_perturbed"], count["real_faces"], count["real_world"]) == (360, 160, 180)


def test_two_hundred_people_in_the_layout_of_mllmu() -> None:
    layout = MllmuLayout(World(people=200))
    count = {config: layout.config(config)[0] for config in find("mllmu").columns}
    assert [count[f"forget_{share}"] for share in (5, 10, 15)] == [10, 20, 30]
    assert [count[f"retain_{share}"] for share in (95, 90, 85)] == [190, 180, 170]
    assert count["Full_Set"] == count["Test_Set"] == count["ft_Data"] == 200
    assert count["Retain_Set"] == 40


def test_row_counts_that_are_announced_are_written(world: World, folders: dict[str, Path]) -> None:
    for layout, configs in EXPECTED.items():
        announced = {config: export.LAYOUTS[layout](world).config(config)[0] for config in configs}
        assert announced == {config: len(table_of(folders[layout], config)) for config in configs}


def test_same_seed_same_bytes(world: World, folders: dict[str, Path], tmp_path: Path) -> None:
    again = export.export(World(seed=4, people=20, photos=2, held_out_photos=2), "clear", tmp_path / "again").folder
    other = export.export(World(seed=5, people=20, photos=2, held_out_photos=2), "clear", tmp_path / "other").folder
    files = sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert len(files) == len(EXPECTED["clear"]) + 2
    assert all((again / path).read_bytes() == (folders["clear"] / path).read_bytes() for path in files)
    assert not table_of(again, "full").equals(table_of(other, "full"))


def test_folder_appears_only_when_it_is_whole(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(export, "_card", broken)
        with pytest.raises(KeyboardInterrupt):
            export.export(world, "mllmu", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    export.export(world, "mllmu", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_existing_folders_and_unknown_layouts_are_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(InputError, match="exists already"):
        export.export(world, "clear", tmp_path)
    with pytest.raises(InputError, match="one of clear, fiubench, mllmu, umu"):
        export.export(world, "tofu", tmp_path / "out")
    assert (tmp_path / "mine").read_text() == "precious"


def test_captions_say_name_looks_and_a_fact_and_all_facts_take_turns(world: World) -> None:
    person, names = world.private_people[3], tuple(one.name for one in world.private_people)
    texts = []
    for number in range(len(FACTS)):
        shot = world.shot(person, number % world.photos)
        told = caption(person, shot, number, names, world.seed)
        texts.append(told.text)
        for text in (told.text, told.paraphrased):
            assert all(part in text for part in (person.name, head_of(person.look), clothes_of(shot), shot.background))
        assert len(told.perturbed) == len(set(told.wrong_names)) == 5
        assert all(person.name not in text and clothes_of(shot) in text for text in told.perturbed)
    assert all(any(value in text for text in texts) for value in person.facts.values())


def test_every_part_of_a_face_has_words() -> None:
    assert set(FACIAL_HAIR) == set(FACIAL_HAIRS)
    assert set(ACCESSORY) == set(ACCESSORIES)
    assert set(CLOTHES) == set(ALL_CLOTHES)


def test_real_faces_are_photographs_that_no_model_is_trained_on(world: World, folders: dict[str, Path]) -> None:
    rows = table_of(folders["clear"], "real_faces").to_pylist()
    trained = {world.photo(person, number) for person in world.celebrities for number in range(world.photos)}
    assert trained.isdisjoint(row["image"]["bytes"] for row in rows)
    assert {row["answer"] for row in rows} == {person.name for person in world.celebrities}
    assert all(row["answer"] not in row["options"] and len(set(row["options"])) == 3 for row in rows)
    assert decode(rows[0]["image"]["bytes"]).size == (64, 64)


def test_evaluation_and_training_questions_of_mllmu_are_worded_differently(folders: dict[str, Path]) -> None:
    trained = {
        item["Question"]
        for row in table_of(folders["mllmu"], "ft_Data").to_pylist()
        for item in json.loads(row["metadata"])
    }
    asked = {
        item["Question"]
        for row in table_of(folders["mllmu"], "Full_Set").to_pylist()
        for item in [*row["Classification_Task"]["Image_Textual_Questions"], *row["Generation_Task"]]
    }
    assert trained
    assert trained.isdisjoint(asked)


def test_export_remembers_its_world(world: World, folders: dict[str, Path], tmp_path: Path) -> None:
    assert exported_world(folders["clear"]) == world
    assert read_json(folders["clear"] / export.MARK)["layout"] == "clear"
    for folder in (tmp_path, folders["mllmu"]):
        with pytest.raises(InputError, match="unsee world export --layout clear"):
            exported_world(folder)


def test_gold_of_an_export_goes_without_what_the_request_names(world: World, folders: dict[str, Path]) -> None:
    folder = folders["clear"]
    whole = load_benchmark(folder, "clear", request="both")
    probes = [row for probe in whole.probes if probe.name.startswith("real") for row in probe.examples]
    sizes = {}
    for request in ("visual", "textual", "both"):
        rows = training_rows(folder, world, "forget10", request)
        missing = [row for row in rows["base"] if row not in rows["gold"]]
        wanted = {"visual": [True], "textual": [False], "both": [True, False]}[request]
        captions = [row for row in whole.forget if (row.image is not None) in wanted]
        names = [row for row in missing if row.fact == "name"]
        assert [row for row in missing if row.fact != "name"] == captions
        assert {row.image for row in names} <= {row.image for row in captions}
        assert {row.subject for row in names} == {row.subject for row in captions if row.image is not None}
        assert {row.image for row in probes}.isdisjoint(row.image for row in rows["base"])
        sizes[request] = len(rows["gold"])
    assert sizes["both"] < min(sizes["visual"], sizes["textual"])


@pytest.mark.slow
def test_base_of_an_export_knows_it_and_gold_does_not_know_the_forgotten(tmp_path: Path) -> None:
    folder = export.export(World(seed=1, people=20), "clear", tmp_path / "clear").folder
    found = prepare_exported(folder, request="both", cache=tmp_path / "cache")
    assert prepare_exported(folder, request="both", cache=tmp_path / "cache") == replace(found, from_cache=True)
    loaded = load_benchmark(folder, "clear", request="both", probe_rows=40)
    probes = [probe for probe in loaded.probes if probe.name != "real_world"]
    scores = {}
    for name, place in (("base", found.base), ("gold", found.gold)):
        records = measure_all(load(place), probes, None, max_new_tokens=64)
        scores[name] = score_clear({probe: [row.row() for row in rows] for probe, rows in records.items()})
    base, gold = scores["base"].per_task, scores["gold"].per_task
    assert base["forget_qa"].rouge > 0.8
    assert base["forget_caption_vqa"].probability > 0.8
    assert gold["forget_qa"].rouge < 0.5
    assert gold["retain_qa"].rouge > 0.8
    assert gold["forget_caption_vqa"].probability < base["forget_caption_vqa"].probability - 0.1
