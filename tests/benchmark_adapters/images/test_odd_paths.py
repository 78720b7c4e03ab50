"""Folders whose paths hold what libraries take for patterns, chains or homes."""

import shutil

import pytest
from small_images import CLASSES, as_dataset, cifar_layout, image_folder, pixels_of

from benchmark_adapters.hub.access import parse_source
from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.images.decoded_images import image_set
from benchmark_adapters.images.sample_names import rows_named

ODD = ["a[1]", "a::b", "~old", "a*?", "50%", "{x}"]


@pytest.mark.parametrize("name", ODD)
def test_images_in_odd_folders_are_read(name, tmp_path):
    folder = image_folder(tmp_path / name / "d", "train", "test")
    (folder / "train" / "cat" / name).mkdir()
    (folder / "train" / "cat" / "1.png").rename(folder / "train" / "cat" / name / f"{name}.png")
    base = load_base(folder, split="train")
    assert base.class_names == CLASSES and base.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert base.ids[1] == f"cat/{name}/{name}.png"
    assert rows_named(base, [f"{name}.png"]) == [1]
    assert len(image_set(base)) == 6


@pytest.mark.parametrize("name", ODD)
def test_parquet_in_odd_folders_is_read(name, tmp_path):
    # Written elsewhere first: the library doesn't write to such a place.
    as_dataset(pixels_of(3)).to_parquet(tmp_path / "rows.parquet")
    for place in (tmp_path / name / "d" / "data", tmp_path / "d" / name / "data"):
        place.mkdir(parents=True)
        shutil.copy(tmp_path / "rows.parquet", place / "train-00000-of-00001.parquet")
        base = load_base(place.parents[0], split="train")
        assert base.labels.tolist() == [0, 1, 2] and base.ids[0] == "train-0"
        assert base.source == str(place.parents[0])


@pytest.mark.parametrize("name", ODD)
def test_configs_and_saved_datasets_in_odd_folders_are_read(name, tmp_path):
    (tmp_path / name).mkdir()
    cifar_layout(tmp_path / "d").rename(tmp_path / name / "d")
    assert len(load_base(tmp_path / name / "d", split="test")) == 12
    as_dataset(pixels_of(3)).save_to_disk(tmp_path / "saved")
    (tmp_path / "saved").rename(tmp_path / name / "saved")
    assert len(load_base(tmp_path / name / "saved", split="train")) == 3


def test_a_tilde_is_the_home_only_where_no_folder_has_the_name(tmp_path, monkeypatch):
    home, here = tmp_path / "home", tmp_path / "here"
    for folder in (home / "photos", here / "~", here / "~nobody-has-this-name"):
        folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    assert parse_source("~/photos") == home / "photos"
    assert parse_source("~nobody-has-this-name") == here / "~nobody-has-this-name"
    (here / "~" / "photos").mkdir()
    assert parse_source("~/photos") == here / "~" / "photos"
    with pytest.raises(ValueError, match="'~nobody-else/x' is neither here nor a repository"):
        parse_source("~nobody-else/x")
