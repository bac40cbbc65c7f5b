"""Examples come from every kind of source, and bad sources end in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.data.conftest import Write, encoded, png, png_claiming, refused
from tests.system.test_strict import LAUGHS
from unsee.benchmarks.source import open_source
from unsee.data import Example, examples_from_rows, load_examples

ASKED = {"question": "Who is this?", "answer": "Ada"}
FEATURES = datasets.Features(
    {"image": datasets.Image(), "question": datasets.Value("string"), "answer": datasets.Value("string")}
)


@pytest.fixture
def dataset(tmp_path: Path) -> datasets.Dataset:
    (tmp_path / "face.png").write_bytes(png())
    columns = {
        "image": [{"bytes": png(), "path": None}, {"bytes": None, "path": str(tmp_path / "face.png")}, None],
        "question": ["one?", "two?", "three?"],
        "answer": ["1", "2", "3"],
    }
    return datasets.Dataset.from_dict(columns, features=FEATURES)


def said(examples: list[Example]) -> list[tuple[str, str, tuple[int, int] | None]]:
    return [(e.question, e.answer, picture.size if (picture := e.picture()) else None) for e in examples]


THREE = [("one?", "1", (6, 4)), ("two?", "2", (6, 4)), ("three?", "3", None)]


def test_jsonl_with_relative_absolute_and_no_image(rows_file: Write, tmp_path: Path) -> None:
    path = rows_file(
        {**ASKED, "image": "face.png"},
        {**ASKED, "image": str(tmp_path / "face.png")},
        "",
        {**ASKED, "image": None},
        ASKED,
    )
    examples = load_examples(path)
    assert [e.image for e in examples] == [tmp_path / "face.png"] * 2 + [None] * 2
    assert load_examples(str(path)) == examples


def test_path_may_lead_out_of_the_folder(rows_file: Write, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    path = rows_file({**ASKED, "image": "../face.png"}, name="inner/forget.jsonl")
    assert load_examples(path)[0].picture() is not None


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(ASKED).encode() + b"\r\n\r\n" + json.dumps(ASKED).encode())
    assert len(load_examples(path)) == 2


@pytest.mark.parametrize("text", [json.dumps([ASKED, ASKED], indent=2), f"{json.dumps(ASKED)}\n{json.dumps(ASKED)}\n"])
def test_json_is_a_list_or_lines(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    assert load_examples(path) == [Example("Who is this?", "Ada")] * 2


def test_parquet_written_by_datasets(dataset: datasets.Dataset, tmp_path: Path) -> None:
    dataset.to_parquet(tmp_path / "a.parquet")
    assert said(load_examples(tmp_path / "a.parquet")) == THREE


def test_parquet_with_plain_bytes_and_paths(tmp_path: Path) -> None:
    (tmp_path / "face.png").write_bytes(png())
    pq.write_table(
        pa.table({"image": [png(), None], "question": ["a", "b"], "answer": ["c", "d"]}), tmp_path / "b.parquet"
    )
    pq.write_table(pa.table({"image": ["face.png"], "question": ["a"], "answer": ["c"]}), tmp_path / "p.parquet")
    assert load_examples(tmp_path / "b.parquet")[0].image == png()
    assert load_examples(tmp_path / "p.parquet")[0].image == tmp_path / "face.png"


def test_folder_saved_to_disk_keeps_the_bytes(dataset: datasets.Dataset, tmp_path: Path) -> None:
    dataset.save_to_disk(tmp_path / "saved")
    examples = load_examples(tmp_path / "saved")
    assert said(examples) == THREE
    assert examples[0].image == png()


def test_folder_saved_to_disk_with_splits(dataset: datasets.Dataset, tmp_path: Path) -> None:
    datasets.DatasetDict(train=dataset, held_out=dataset.select([2])).save_to_disk(tmp_path / "saved")
    assert said(load_examples(tmp_path / "saved", split="held_out")) == THREE[2:]
    message = refused(load_examples, tmp_path / "saved", split="test")
    assert "no split 'test'; there are train, held_out" in message


def test_hub_layout_of_parquet_shards(dataset: datasets.Dataset, tmp_path: Path) -> None:
    (tmp_path / "hub/data").mkdir(parents=True)
    for shard, rows in enumerate(([0, 1], [2])):
        dataset.select(rows).to_parquet(tmp_path / f"hub/data/train-0000{shard}-of-00002.parquet")
    assert said(load_examples(tmp_path / "hub")) == THREE
    assert "no split 'test'; there are train" in refused(load_examples, tmp_path / "hub", split="test")


def test_hub_layout_with_configurations(dataset: datasets.Dataset, tmp_path: Path) -> None:
    configs = [{"config_name": name, "data_files": f"{name}/*.parquet"} for name in ("forget", "retain")]
    (tmp_path / "README.md").write_text(f"---\nconfigs: {json.dumps(configs)}\n---\n")
    for name, rows in (("forget", [0]), ("retain", [1, 2])):
        (tmp_path / name).mkdir()
        dataset.select(rows).to_parquet(tmp_path / name / "train.parquet")
    assert said(load_examples(f"{tmp_path}:retain")) == THREE[1:]
    assert "retain" in refused(load_examples, f"{tmp_path}:nothing")


TWO = [("one?", "1", None), ("two?", "2", (6, 4))]  # the first file has no pictures


def first_without_pictures(dataset: datasets.Dataset, kind: str, folder: Path) -> None:
    words, seen = dataset.select([0]).remove_columns("image"), dataset.select([1])
    if kind == "saved":
        words.save_to_disk(folder / "a")
        seen.save_to_disk(folder / "b")
        return
    data = folder / "data"
    data.mkdir(parents=True)
    if kind == "null column":
        words = words.add_column("image", [None])
    for number, rows in enumerate((words, seen)):
        place = data / f"train-0000{number}-of-00002"
        if kind == "jsonl":
            asked = {key: rows[0][key] for key in ("question", "answer")}
            place.with_suffix(".jsonl").write_text(json.dumps(asked | ({"image": "../face.png"} if number else {})))
        else:
            rows.to_parquet(place.with_suffix(".parquet"))


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "null column", "saved"])
def test_files_of_which_the_first_has_no_pictures(dataset: datasets.Dataset, tmp_path: Path, kind: str) -> None:
    first_without_pictures(dataset, kind, tmp_path / "many")
    assert said(load_examples(tmp_path / "many")) == TWO


def test_a_row_that_does_not_fit_is_named_with_its_file(rows_file: Write, tmp_path: Path) -> None:
    rows_file(ASKED, name="train-0.jsonl")
    rows_file({**ASKED, "img": "face.png"}, name="train-1.jsonl")
    assert "train-1.jsonl, row 1: column 'img' but no image" in refused(load_examples, tmp_path)


def test_files_that_would_be_left_out_are_named(dataset: datasets.Dataset, rows_file: Write, tmp_path: Path) -> None:
    rows_file(ASKED, name="train.jsonl")
    rows_file(ASKED, ASKED, name="train-2.jsonl")
    assert len(load_examples(tmp_path)) == 3
    dataset.to_parquet(tmp_path / "train.parquet")
    assert "are both 'train'; name the file, or remove one" in refused(load_examples, tmp_path)
    (tmp_path / "some").mkdir()
    rows_file(ASKED, name="some/rows.jsonl")
    for name in ("a", "b"):
        dataset.select([2]).to_parquet(tmp_path / f"some/{name}.parquet")
    assert "some/rows.jsonl: would be left out beside a.parquet" in refused(load_examples, tmp_path / "some")


def test_pictures_in_several_folders_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(png())
        (tmp_path / name / "metadata.jsonl").write_text(json.dumps({**ASKED, "question": name, "file_name": "0.png"}))
    assert said(load_examples(tmp_path)) == [("a", "Ada", (6, 4)), ("b", "Ada", (6, 4))]
    (tmp_path / "b/metadata.jsonl").write_text(json.dumps({**ASKED, "file_name": "1.png"}))
    assert "b/metadata.jsonl, row 1, image: no such file" in refused(load_examples, tmp_path)
    (tmp_path / "b/metadata.jsonl").write_text(json.dumps({**ASKED, "file_name": "0.png", "image": "0.png"}))
    assert "file_name: given beside image" in refused(load_examples, tmp_path)


# Which split.


def layouts_with_splits(dataset: datasets.Dataset, folder: Path, *splits: str) -> list[Path]:
    """The same splits as files, as shards of a hub repository, and as `save_to_disk` writes them."""
    (folder / "hub/data").mkdir(parents=True)
    (folder / "files").mkdir()
    rows = {split: dataset.select([2 - number]) for number, split in enumerate(splits)}
    for split, some in rows.items():
        some.to_parquet(folder / f"hub/data/{split}-00000-of-00001.parquet")
        some.to_parquet(folder / f"files/{split}.parquet")
    datasets.DatasetDict(rows).save_to_disk(folder / "saved")
    return [folder / "hub", folder / "files", folder / "saved"]


def test_the_only_split_needs_no_name(dataset: datasets.Dataset, tmp_path: Path) -> None:
    for folder in layouts_with_splits(dataset, tmp_path, "test"):
        assert said(load_examples(folder)) == said(load_examples(f"{folder}#test")) == THREE[2:]


def test_one_of_several_splits_is_named_behind_the_source(dataset: datasets.Dataset, tmp_path: Path) -> None:
    for folder in layouts_with_splits(dataset, tmp_path, "test", "validation"):
        assert said(load_examples(f"{folder}#validation")) == THREE[1:2]
        assert said(load_examples(folder, split="validation")) == THREE[1:2]
        message = refused(load_examples, folder)
        assert "which split? There are " in message
        assert f"name one, as in {folder}#" in message
        assert "no split 'train'; there are " in refused(load_examples, f"{folder}#train")


def test_a_split_is_named_once_and_right(rows_file: Write, tmp_path: Path) -> None:
    path = rows_file(ASKED)
    assert "forget.jsonl: one file has no split 'test'" in refused(load_examples, f"{path}#test")
    assert "name one split behind #" in refused(load_examples, f"{tmp_path}#")
    assert "name one split behind #" in refused(load_examples, f"{tmp_path}#test", split="train")
    assert len(load_examples(rows_file(ASKED, name="for#get.jsonl"))) == 1


def test_folder_of_pictures_with_metadata(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    for index in range(3):
        (tmp_path / f"faces/{index}.png").write_bytes(png(size=(6, 4 + index)))
    rows = [{"file_name": f"faces/{index}.png", "question": f"{index}?", "answer": str(index)} for index in range(3)]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert said(load_examples(tmp_path)) == [(f"{i}?", str(i), (6, 4 + i)) for i in range(3)]
    assert len(load_examples(tmp_path, limit=2)) == 2


def test_folder_with_a_file_per_split(rows_file: Write, tmp_path: Path) -> None:
    rows_file({**ASKED, "image": "face.png"}, name="train.jsonl")
    rows_file(ASKED, ASKED, name="test.jsonl")
    assert load_examples(tmp_path)[0].image == tmp_path / "face.png"
    assert len(load_examples(tmp_path, split="test")) == 2


def test_limit_reads_the_first_rows_only(rows_file: Write) -> None:
    path = rows_file(ASKED, ASKED, {"image": "missing.png"})
    assert len(load_examples(path, limit=2)) == 2
    assert "limit is 0; it must be 1 or more" in refused(load_examples, path, limit=0)


def test_same_bytes_are_held_once(dataset: datasets.Dataset, tmp_path: Path) -> None:
    datasets.concatenate_datasets([dataset, dataset]).save_to_disk(tmp_path / "saved")
    examples = load_examples(tmp_path / "saved")
    assert examples[0].image is examples[3].image


def test_rows_in_memory(dataset: datasets.Dataset) -> None:
    assert said(examples_from_rows(dataset)) == THREE
    assert "mine, row 2, answer: empty" in refused(examples_from_rows, [ASKED, {**ASKED, "answer": " "}], "mine")


# What is wrong with a source.


def test_missing_file_names_the_nearest(rows_file: Write, tmp_path: Path) -> None:
    rows_file(ASKED)
    message = refused(load_examples, tmp_path / "forgt.jsonl")
    assert f"no such file or folder: {tmp_path}/forgt.jsonl (did you mean 'forget.jsonl'?)" in message


def test_slip_beside_a_folder_does_not_ask_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: pytest.fail("asked the hub"))
    Path("data/forget").mkdir(parents=True)
    assert "data/forgt (did you mean 'forget'?)" in refused(load_examples, "data/forgt")
    assert "no such file or folder" in refused(load_examples, "elsewhere/forget.jsonl")
    assert "no such file or folder" in refused(load_examples, Path("owner/name"))


def test_hub_id_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    message = refused(load_examples, "nobody/nothing:config")
    assert message.startswith("nobody/nothing:config: no file or folder here, and no data set from the hub (")
    assert "check the name and the split" in message


def test_hub_id_passes_configuration_and_split(
    dataset: datasets.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[object] = []

    def load_dataset(name: str, config: str | None, split: str) -> datasets.Dataset:
        asked.append((name, config, split))
        return dataset

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert said(load_examples("owner/name:small", split="test")) == THREE
    load_examples("owner/name")
    load_examples("owner/name:small#validation")
    wanted = [("owner/name", "small", "test"), ("owner/name", None, "train"), ("owner/name", "small", "validation")]
    assert asked == wanted


def test_hub_data_set_with_a_test_split_alone(
    dataset: datasets.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    splits = ["test"]

    def load_dataset(name: str, config: str | None, split: str) -> datasets.Dataset:
        if split not in splits:
            raise ValueError(f"Unknown split {split!r}. Should be one of {splits}.")
        return dataset

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(datasets, "get_dataset_split_names", lambda *_: splits)
    assert said(load_examples("owner/name")) == THREE
    splits.append("validation")
    message = refused(load_examples, "owner/name")
    assert "owner/name: which split? There are test, validation; name one, as in owner/name#test" in message
    assert "Should be one of" in refused(load_examples, "owner/name#train")


def test_folder_without_data(tmp_path: Path) -> None:
    message = refused(load_examples, tmp_path)
    assert str(tmp_path) in message
    assert "a folder holds .jsonl or .parquet files" in message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"question,answer\na,b\n"),
        ("a.txt", b"hello"),
        ("a.zip", b"PK"),
        ("a.tar", b"x"),
        ("a.h5", b"x"),
        ("a.mp3", b"x"),
        ("train.jsonl.gz", b"\x1f\x8b"),
        ("a.png", b"a picture without metadata"),
        ("a.arrow", b"ARROW1 nonsense"),
        ("state.json", b"[]"),
        ("dataset_dict.json", b"{}"),
        ("dataset_infos.json", b"["),
    ],
)
def test_folder_with_files_that_are_not_read(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    for split in (None, "test"):
        assert str(tmp_path) in refused(load_examples, tmp_path, split=split)


def test_pictures_with_a_table_of_commas(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(png())
    (tmp_path / "metadata.csv").write_text("file_name,question,answer\n0.png,one?,Ada\n")
    assert said(load_examples(tmp_path)) == [("one?", "Ada", (6, 4))]


def test_dataset_script_is_not_run(tmp_path: Path) -> None:
    (tmp_path / f"{tmp_path.name}.py").write_text("raise SystemExit('ran')")
    assert "no data that can be loaded" in refused(load_examples, tmp_path)


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", ""), ("a.jsonl", "\n \n"), ("a.json", "[]"), ("a.json", "")])
def test_file_without_rows(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    message = refused(load_examples, tmp_path / name)
    assert f"{name} holds no rows; it needs at least one with a question and an answer" in message


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.pkl", "README"])
def test_unknown_kind_of_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    assert "unknown kind of file" in (message := refused(load_examples, tmp_path / name))
    assert "use .jsonl, .json, .parquet" in message


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"question": "a", ', "broken JSON"),
        ("not json", "broken JSON"),
        ("[1, 2]", "list where an object is expected"),
        ("null", "NoneType where an object is expected"),
        ("[" * 100_000, "JSON that cannot be read"),
        ('{"question": ' + "9" * 5000 + "}", "JSON that cannot be read"),
    ],
)
def test_broken_line_is_named(rows_file: Write, line: str, problem: str) -> None:
    message = refused(load_examples, rows_file(ASKED, "", line))
    assert "forget.jsonl, line 3: " in message
    assert problem in message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[\n {},\n {,}\n]", "a.json, line 3: broken JSON"),
        ('[{"question": "a", "answer": "b"}, 7]', "a.json, row 2: int"),
    ],
)
def test_broken_json_list_is_named(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert problem in refused(load_examples, tmp_path / "a.json")


def test_broken_metadata_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(png())
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "0.png", "question": "a", "answer": "b"}\n{oops\n')
    assert "metadata.jsonl, line 2: broken JSON" in refused(load_examples, tmp_path)


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(json.dumps(ASKED).encode() + b'\n{"question": "M\xfcller"}')
    assert "a.jsonl, line 2: not UTF-8 text" in (message := refused(load_examples, tmp_path / "a.jsonl"))
    assert "save the file as UTF-8" in message


@pytest.mark.parametrize("content", [b"", b"PAR1 nonsense", png()])
def test_broken_parquet(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    assert "a.parquet: not a Parquet file that can be read" in refused(load_examples, tmp_path / "a.parquet")


def bomb(kind: str) -> pa.Table:
    """Columns that fold to next to nothing."""
    said = {"question": ["q"], "answer": ["a"]}
    if kind == "one long text":
        return pa.table({"question": ["x" * 4_000_000], "answer": ["a"]})
    if kind == "one text many times":
        return pa.table({key: pa.array(["x" * 1000] * 4000) for key in said})
    if kind == "a dictionary of one text":
        column = pa.DictionaryArray.from_arrays(pa.array([0] * 4000, pa.int32()), pa.array(["x" * 1000]))
        return pa.table(dict.fromkeys(said, column))
    return pa.table({**said, "choices": [[None] * 3_000_000]})


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("one long text", "bomb.parquet: unpacks to more than 20 times its"),
        ("one text many times", "bomb.parquet: unpacks to more than 20 times its"),
        ("a dictionary of one text", "bomb.parquet: unpacks to more than 20 times its"),
        ("one long list", "bomb.parquet: claims more than 2000000 values in a column"),
    ],
)
def test_parquet_that_unpacks_to_far_more_than_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, problem: str
) -> None:
    pq.write_table(bomb(kind), tmp_path / "bomb.parquet", compression="zstd")
    monkeypatch.setattr("unsee.data.tables.MAX_UNPACKED", 1_000_000)
    monkeypatch.setattr("unsee.data.tables.MAX_VALUES", 2_000_000)
    assert problem in refused(load_examples, tmp_path / "bomb.parquet")
    (tmp_path / "full").mkdir()
    (tmp_path / "bomb.parquet").rename(tmp_path / "full/train-00000-of-00001.parquet")
    expected = problem.replace("bomb", "train-00000-of-00001")
    assert expected in refused(lambda: list(open_source(tmp_path).rows("full", ("question", "answer"))))


def test_a_dictionary_within_a_list_unpacks_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    column = bomb("a dictionary of one text")["question"].combine_chunks()
    lists = pa.ListArray.from_arrays(pa.array(range(len(column) + 1), pa.int32()), column)
    said = {"question": ["q"] * len(column), "answer": ["a"] * len(column)}
    pq.write_table(pa.table({**said, "choices": lists}), tmp_path / "bomb.parquet", compression="zstd")
    monkeypatch.setattr("unsee.data.tables.MAX_UNPACKED", 1_000_000)
    assert "bomb.parquet: unpacks to more than 20 times its" in refused(load_examples, tmp_path / "bomb.parquet")


def test_parquet_is_unpacked_a_few_rows_at_a_time(dataset: datasets.Dataset, tmp_path: Path) -> None:
    datasets.concatenate_datasets([dataset] * 40).to_parquet(tmp_path / "a.parquet")
    assert len(load_examples(tmp_path / "a.parquet")) == 120


@pytest.mark.parametrize("head", [LAUGHS, "a: " + "[" * 1000 + "]" * 1000, "a: 1\na: 2"])
def test_a_card_that_unfolds_to_too_much_is_not_given_to_others(rows_file: Write, tmp_path: Path, head: str) -> None:
    rows_file(ASKED, name="some.jsonl")
    (tmp_path / "README.md").write_text(f"---\n{head}\n---\n# Some rows\n")
    assert f"{tmp_path}/README.md, line " in refused(load_examples, tmp_path)


def test_a_text_of_megabytes_is_no_question(rows_file: Write) -> None:
    path = rows_file({**ASKED, "question": "x" * 2_000_000})
    assert "row 1, question: 2000000 characters; a text has at most 1000000" in refused(load_examples, path)


def test_permission_denied(rows_file: Write, tmp_path: Path) -> None:
    path = rows_file({**ASKED, "image": "face.png"})
    (tmp_path / "face.png").chmod(0)
    if os.access(tmp_path / "face.png", os.R_OK):
        pytest.skip("nothing is forbidden to root")
    assert "forget.jsonl, row 1, image: " in (message := refused(load_examples, path))
    assert "Permission denied" in message
    path.chmod(0)
    assert "cannot read" in (message := refused(load_examples, path))
    assert "Permission denied" in message


# What is wrong with a picture.

BAD_PICTURES = {
    "text": (b"I am no picture", "is not a picture (PNG, JPEG,"),
    "empty": (b"", "is empty; give a picture, or null for none"),
    "cut off": (encoded(Image.effect_noise((64, 64), 90), "PNG")[:2000], "is a broken picture"),
    "cut off jpeg": (encoded(Image.effect_noise((64, 64), 90), "JPEG")[:1500], "is a broken picture"),
    "no pixels": (png_claiming(0, 5), "is not a picture"),
    "huge": (png_claiming(20_000, 20_000), "has 20000 x 20000 pixels, too large; at most 100 megapixels"),
    "large": (png_claiming(10_001, 10_000), "has 10001 x 10000 pixels, too large; at most 100 megapixels"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "is not a picture"),
    "float": (encoded(Image.new("F", (4, 4)), "TIFF"), "has 32 bits a pixel; save it with 8 or 16"),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", BAD_PICTURES)
def test_bad_picture_file_is_named_with_its_row(rows_file: Write, tmp_path: Path, kind: str) -> None:
    content, problem = BAD_PICTURES[kind]
    (tmp_path / "bad.jpg").write_bytes(content)
    path = rows_file(ASKED, {**ASKED, "image": "bad.jpg"})
    message = refused(load_examples, path)
    assert f"forget.jsonl, row 2, image: {tmp_path}/bad.jpg {problem}" in message
    assert len(load_examples(path, check_images=False)) == 2


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", BAD_PICTURES)
def test_bad_picture_bytes_are_named_with_their_row(tmp_path: Path, kind: str) -> None:
    content, problem = BAD_PICTURES[kind]
    pq.write_table(pa.table({"image": [content], "question": ["a"], "answer": ["b"]}), tmp_path / "a.parquet")
    assert f"a.parquet, row 1, image: image bytes {problem}" in refused(load_examples, tmp_path / "a.parquet")


def test_each_picture_is_checked_once(rows_file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr("unsee.data.load.check", seen.append)
    load_examples(rows_file(*[{**ASKED, "image": "face.png"}] * 5))
    assert len(seen) == 1
