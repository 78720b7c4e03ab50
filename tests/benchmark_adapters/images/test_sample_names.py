"""Samples told by id, path, file name, row or a column's value, and ids whose rows have moved."""

import codecs
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_images import as_dataset, cifar_layout, image_folder, pixels_of

from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.images.ids_file import read_ids
from benchmark_adapters.images.sample_names import (
    OtherContent,
    contents_at,
    line_of,
    notes_on_rows,
    rows_named,
    rows_where,
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = image_folder(tmp_path_factory.mktemp("photos") / "d", "train", "test")
    (folder / "train" / "dog" / "1.png").rename(folder / "train" / "dog" / "rex.png")
    return load_base(folder, split="train")


def test_a_photo_is_told_by_path_unique_name_or_row(photos):
    names = ("dog/rex.png", "train/dog/rex.png", "./dog/rex.png", "dog\\rex.png", "rex.png",
             f"{photos.root}/dog/rex.png", "train-3", "3")  # fmt: skip
    assert photos.ids[3] == "dog/rex.png"
    assert rows_named(photos, names) == [3] * len(names)


def test_a_name_of_several_photos_or_of_none_is_refused(photos):
    with pytest.raises(ValueError, match=r"'0\.png' is the name of 3 files .*cat/0\.png and dog/0"):
        rows_named(photos, ["0.png"])
    with pytest.raises(ValueError, match=r"2 of 3 ids are not in split 'train' .*such as '6'; the "
                                         r"first there is 'cat/0\.png'"):  # fmt: skip
        rows_named(photos, ["6", "rex.jpg", "rex.png"])


def test_ids_of_a_column_are_told_by_nothing_else(tmp_path):
    base = load_base(cifar_layout(tmp_path / "d", uid="face{}".format), split="train",
                     id_column="uid")  # fmt: skip
    assert rows_named(base, ["face3"]) == [3]
    for other in ("3", "train-3"):
        with pytest.raises(ValueError, match=f"such as '{other}'; the first there is 'face0'"):
            rows_named(base, [other])


def test_a_photo_keeps_its_id_when_another_is_deleted(tmp_path):
    folder = image_folder(tmp_path / "d")
    before = load_base(folder, split="train")
    (wanted,) = contents_at(before, rows_named(before, ["dog/1.png"]))
    (folder / "cat" / "0.png").unlink()
    after = load_base(folder, split="train")
    assert rows_named(after, ["dog/1.png"]) == [2]
    assert contents_at(after, [2]) == [wanted]


def test_rows_that_have_moved_are_noticed_by_their_content(tmp_path):
    whole = as_dataset(pixels_of(6))
    whole.save_to_disk(tmp_path / "before")
    whole.select([1, 2, 3, 5]).save_to_disk(tmp_path / "after")
    before, after = (load_base(tmp_path / name, split="train") for name in ("before", "after"))
    lines = [line_of(before, row, content) for row, content in enumerate(
        contents_at(before, range(6)))]  # fmt: skip
    assert rows_named(before, lines) == list(range(6))
    with pytest.raises(OtherContent, match=r"1 of 1 ids name another .* 'train-2': its image is "
                                           r"'train-1' now"):  # fmt: skip
        rows_named(after, [lines[2]])
    with pytest.raises(OtherContent, match="its image is not in split 'train' any more"):
        rows_named(after, ["train-1", lines[0]])


def test_rows_where_paths_or_hashes_could_be_told_are_said(photos, tmp_path):
    names = ["dog/rex.png", "train-1", "0"]
    rows = rows_named(photos, names)
    assert rows == [3, 1, 0]
    assert notes_on_rows(photos, names, rows) == (
        "2 of the ids are rows, not paths, such as 'train-1': cat/1.png",
    )
    assert notes_on_rows(photos, names[:1], rows[:1]) == ()
    as_dataset(pixels_of(3)).save_to_disk(tmp_path / "d")
    base = load_base(tmp_path / "d", split="train")
    (note,) = notes_on_rows(base, ["train-1"], [1])
    assert "come to mean other images" in note and "suli splits ids" in note
    (content,) = contents_at(base, [1])
    assert notes_on_rows(base, [line_of(base, 1, content)], [1]) == ()


def test_samples_are_told_by_the_value_of_a_column(tmp_path):
    people = ("Ann", "Bo", None)
    base = load_base(
        cifar_layout(
            tmp_path / "d", person=lambda row: people[row % 3], age=lambda row: row % 2 / 1
        ),
        split="train",
    )
    assert rows_where(base, ["person=Ann"]) == list(range(0, 30, 3))
    assert rows_where(base, ["person=Ann", "person=Bo"]) == [r for r in range(30) if r % 3 < 2]
    assert rows_where(base, ["age=1"]) == list(range(1, 30, 2))
    assert rows_where(base, ["label=dog"]) == list(range(1, 30, 3))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("person", "conditions= takes COLUMN=VALUE, got 'person'"),
        ("name=Ann", r"has no column 'name'; its columns: img \(Image\), label"),
        ("img=Ann", "has no column 'img'"),
        (
            "person=Cy",
            r"no sample of split 'train' has person 'Cy'; there are: p0, p1, p10, .*\.\.\.",
        ),
    ],
)
def test_a_condition_that_holds_for_nothing_says_what_there_is(condition, message, tmp_path):
    base = load_base(cifar_layout(tmp_path / "d", person="p{}".format), split="train")
    with pytest.raises(ValueError, match=message):
        rows_where(base, [condition])


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"],
)
@given(
    ids=st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"), max_codepoint=0x2FF),
                min_size=1), min_size=1)
)  # fmt: skip
def test_a_list_of_ids_is_read_in_every_encoding(encoding, ids, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / f"ids-{encoding}.txt"
    # Without a mark, UTF-16 is known by the zero bytes of plain letters.
    ids = ["train-1", *ids]
    path.write_bytes("\r\n".join(["", *ids, ""]).strip("\r\n").encode(encoding))
    assert read_ids(path) == ids


def test_a_marked_file_of_utf_16_from_a_spreadsheet_is_read(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_bytes(codecs.BOM_UTF16_BE + "train-40\r\ntrain-41\r\n".encode("utf-16-be"))
    assert read_ids(path) == ["train-40", "train-41"]


def test_ids_are_read_from_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfa b\n\n c\n")))
    assert read_ids(Path("-")) == ["a b", "c"]


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "holds no id"), (b"\xff\xfe", "holds no id"),
                             (b"a\xff\n", "can't be read")]
)  # fmt: skip
def test_a_file_without_ids_is_named(content, message, tmp_path):
    (tmp_path / "ids.txt").write_bytes(content)
    with pytest.raises(ValueError, match=f"--forget-ids .*ids.txt {message}"):
        read_ids(tmp_path / "ids.txt")
