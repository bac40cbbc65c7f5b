"""Where the configurations of a benchmark are found."""

from __future__ import annotations

from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

from tests.benchmarks.exports import rows_of
from tests.data.conftest import refused
from unsee.benchmarks.source import Folder, Hub, open_source


def test_card_says_where_files_are(clear_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    for number in (1, 0):
        content = (clear_folder / "forget01" / "train-00000-of-00001.parquet").read_bytes()
        (tmp_path / "here" / f"part-{number}.parquet").write_bytes(content)
    card = (
        "---\nconfigs:\n- config_name: forget01\n  data_files:\n  - split: train\n    path: here/part-*\n---\n# CLEAR\n"
    )
    (tmp_path / "README.md").write_text(card)
    source = Folder(tmp_path)
    assert source.configs == ["forget01"]
    assert [path.name for path in source.files("forget01")] == ["part-0.parquet", "part-1.parquet"]
    assert len(list(source.rows("forget01", ["name"]))) == 2 * len(rows_of(clear_folder, "forget01"))


def test_card_cannot_lead_out_of_the_folder(clear_folder: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "secret.parquet").write_bytes(b"")
    (inner / "README.md").write_text(
        "---\nconfigs:\n- config_name: a\n  data_files: ../secret.parquet\n- config_name: b\n"
        f"  data_files: {tmp_path}/secret.parquet\n---\n"
    )
    assert Folder(inner).configs == []


def test_default_configuration_lies_in_data(clear_folder: Path, tmp_path: Path) -> None:
    assert Folder(clear_folder).has("default")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train-00000-of-00001.parquet").write_bytes(b"broken")
    assert Folder(tmp_path).configs == ["default"]
    message = refused(lambda: list(Folder(tmp_path).rows("default", ["image"])))
    assert "not a Parquet file that can be read" in message


def test_another_split_is_named_behind_the_source(clear_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "forget01").mkdir()
    content = (clear_folder / "forget01" / "train-00000-of-00001.parquet").read_bytes()
    (tmp_path / "forget01" / "test-00000-of-00001.parquet").write_bytes(content)
    assert not open_source(tmp_path).has("forget01")
    source = open_source(f"{tmp_path}#test")
    assert isinstance(source, Folder)
    assert source.configs == ["forget01"]
    assert len(list(source.rows("forget01", ["name"]))) == len(rows_of(clear_folder, "forget01"))
    assert open_source("therem/CLEAR#test") == Hub("therem/CLEAR", "test")


def test_only_columns_that_are_asked_for_are_read(clear_folder: Path) -> None:
    row = next(Folder(clear_folder).rows("full+tofu", ("question", "answer")))
    assert set(row.values) == {"question", "answer"}


def test_hub_ids_go_to_the_hub(monkeypatch: pytest.MonkeyPatch, clear_folder: Path) -> None:
    asked = []

    def load_dataset(name: str, config: str, split: str) -> datasets.Dataset:
        asked.append((name, config, split))
        return datasets.Dataset(pq.read_table(clear_folder / config / "train-00000-of-00001.parquet"))

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    source = open_source("therem/CLEAR")
    assert isinstance(source, Hub)
    found = list(source.rows("forget01", ("image", "caption", "name")))
    assert [row.values["caption"] for row in found] == [row["caption"] for row in rows_of(clear_folder, "forget01")]
    assert found[0].values["image"]["bytes"] == rows_of(clear_folder, "forget01")[0]["image"]["bytes"]
    assert asked == [("therem/CLEAR", "forget01", "train")]
    assert "no column 'captoin' (did you mean 'caption'?)" in refused(
        lambda: list(source.rows("forget01", ("captoin",)))
    )


def test_misspelt_folder_is_no_hub_id(clear_folder: Path) -> None:
    assert "no such folder" in refused(open_source, str(clear_folder.parent / "wrold"))
