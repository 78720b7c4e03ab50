"""Folders of images as people have them: nested, with metadata, with other files among them."""

import shutil

import pytest
from small_images import encoded, pixels_of

from benchmark_adapters.images.base_data import load_base, load_images
from suli_plugin.failure import Failure


def photos(folder, *paths):
    """A folder with an image of its own in each of the paths."""
    for number, path in enumerate(paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(encoded(pixels_of(1, seed=number)[0]))
    return folder


def test_the_class_folder_is_the_label_whatever_lies_deeper(tmp_path):
    folder = photos(
        tmp_path / "d", "train/3/2014/a.png", "train/3/b.png", "train/5/2014/x/c.png",
        "test/5/2015/d.png",
    )  # fmt: skip
    base = load_base(folder, split="train")
    assert base.class_names == ("3", "5") and base.labels.tolist() == [0, 0, 1]
    assert base.ids == ["3/2014/a.png", "3/b.png", "5/2014/x/c.png"]
    # The test split has no 3, and its labels mean the same.
    assert load_base(folder, split="test").labels.tolist() == [1]


def test_nested_class_folders_without_splits_are_classes_too(tmp_path):
    folder = photos(tmp_path / "d", "3/2014/a.png", "5/2014/b.png", "5/c.png")
    base = load_base(folder, split="train")
    assert base.splits == ("train",) and base.class_names == ("3", "5")
    assert base.labels.tolist() == [0, 1, 1]


def test_split_folders_that_a_readme_names_hold_class_folders(tmp_path):
    folder = photos(tmp_path / "d", "a/3/2014/x.png", "a/5/y.png", "b/5/2014/z.png")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        "  - split: train\n    path: a/**\n  - split: test\n    path: b/**\n---\n"
    )
    (folder / "a" / "LICENSE").write_text("free")
    base = load_base(folder, split="train")
    assert base.class_names == ("3", "5") and base.ids == ["3/2014/x.png", "5/y.png"]
    assert load_base(folder, split="test").labels.tolist() == [1]
    assert base.notes == ("left out: 1 file that can't be read as images (a/LICENSE)",)


def test_images_in_archives_alone_must_be_unpacked(tmp_path):
    folder = photos(tmp_path / "photos", "cat/a.png", "dog/b.png")
    shutil.make_archive(str(tmp_path / "d" / "train"), "zip", folder)
    with pytest.raises(ValueError, match=r"train\.zip is an archive: unpack it"):
        load_base(tmp_path / "d", split="train")


def test_a_readme_with_configs_and_no_files_leaves_the_split_folders(tmp_path):
    folder = photos(tmp_path / "d[1]", "train/3/2014/x.png", "train/5/y.png", "test/5/z.png")
    (folder / "README.md").write_text("---\nconfigs:\n- config_name: default\n---\n")
    base = load_base(folder, split="train")
    assert base.class_names == ("3", "5") and base.ids == ["3/2014/x.png", "5/y.png"]


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (("train/3/a.png", "train/b.png"), "train/b.png lies beside the class folders"),
        (("3/a.png", "5/b.png", "c.png"), "c.png lies beside the class folders 3, 5"),
        (("train/3/a.png", "test/3/b.png", "c.png"), "c.png lies beside the split folders"),
        (("archive/train/3/a.png",), "archive/train/3/a.png: the split folder 'train' lies deeper"),
    ],
)
def test_a_layout_that_fits_no_rule_is_refused_with_the_file(paths, message, tmp_path):
    folder = photos(tmp_path / "d", *paths)
    with pytest.raises(ValueError, match=message):
        load_base(folder, split="train")


def test_files_that_are_no_images_are_counted_and_named(tmp_path):
    folder = photos(tmp_path / "d", "3/a.png", "5/b.png")
    for name in ("3/IMG_1.HEIC", "5/more.zip", "LICENSE", "README.md", ".hidden"):
        (folder / name).write_bytes(b"something else")
    base = load_base(folder, split="train")
    assert len(base) == 2
    (note,) = base.notes
    assert note == (
        "left out: 3 files that can't be read as images (3/IMG_1.HEIC, 5/more.zip, LICENSE)"
    )


def test_metadata_bring_columns_and_class_folders_the_labels(tmp_path):
    folder = photos(tmp_path / "d", "train/3/a.png", "train/5/b.png", "train/5/c.png")
    (folder / "train" / "metadata.csv").write_text(
        "file_name,person,age\n5/c.png,Ann,7\n3/a.png,Bo,8\n5/gone.png,Ann,9\n"
    )
    base = load_base(folder, split="train")
    assert base.ids == ["5/c.png", "3/a.png"] and base.labels.tolist() == [1, 0]
    assert base.column("person").to_pylist() == ["Ann", "Bo"]
    assert base.notes == (
        "left out: 1 file that no metadata describe (5/b.png)",
        "not there: 1 file that the metadata describe (5/gone.png)",
    )


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_metadata_with_a_label_of_text_have_the_labels(form, tmp_path):
    import json

    import pyarrow
    from pyarrow import parquet

    folder = photos(tmp_path / "d", "train/a.png", "train/b.png", "test/c.png")
    rows = {"train": [("b.png", "dog"), ("a.png", "cat")], "test": [("c.png", "dog")]}
    for split, pairs in rows.items():
        path = folder / split / f"metadata.{form}"
        columns = {"file_name": [p for p, _ in pairs], "label": [label for _, label in pairs]}
        if form == "csv":
            path.write_text("file_name,label\n" + "".join(f"{a},{b}\n" for a, b in pairs))
        elif form == "jsonl":
            path.write_text("".join(json.dumps({"file_name": a, "label": b}) + "\n"
                                    for a, b in pairs))  # fmt: skip
        else:
            parquet.write_table(pyarrow.table(columns), path)
    base = load_base(folder, split="train")
    assert base.class_names == ("cat", "dog") and base.labels.tolist() == [1, 0]
    assert load_base(folder, split="test").labels.tolist() == [1]


def test_whole_numbers_that_a_csv_made_fractions_are_labels(tmp_path):
    folder = photos(tmp_path / "d", "train/a.png", "train/b.png")
    table = folder / "train" / "metadata.csv"
    table.write_text("file_name,label\na.png,2.0\nb.png,0.0\n")
    assert load_base(folder, split="train").labels.tolist() == [2, 0]
    table.write_text("file_name,label\na.png,2.0\nb.png,\n")
    with pytest.raises(ValueError, match="1 samples have no label, the first in row 1"):
        load_base(folder, split="train").labels  # noqa: B018  # reading it raises


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\na.png,1\n", "metadata.csv has no column 'file_name'"),
        ("file_name\na.png\na.png\n", "metadata.csv names the image a.png twice"),
        ("file_name,label\na.png,1,2,3\n", "metadata.csv can't be read"),
    ],
)
def test_metadata_that_do_not_describe_the_images_are_refused(text, message, tmp_path):
    folder = photos(tmp_path / "d", "train/a.png")
    (folder / "train" / "metadata.csv").write_text(text)
    with pytest.raises(Failure, match=message) as caught:
        load_base(folder, split="train")
    assert "\n" not in str(caught.value)


def test_metadata_name_no_file_outside_of_their_folder(tmp_path):
    folder = photos(tmp_path / "d", "train/a.png")
    photos(tmp_path, "secret.png")
    (folder / "train" / "metadata.csv").write_text(
        f"file_name,label\na.png,1\n../../secret.png,1\n{tmp_path}/secret.png,1\n"
    )
    assert load_base(folder, split="train").ids == ["a.png"]


def test_flat_split_folders_are_splits_of_images_without_labels(tmp_path):
    folder = photos(tmp_path / "d", "train/a.png", "test/b.png")
    assert load_images(folder, split="train").splits == ("test", "train")
    with pytest.raises(ValueError, match="which column is the label"):
        load_base(folder, split="train")
