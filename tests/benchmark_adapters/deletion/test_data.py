"""What of people's data a deletion request reads, and as what: photos of digits in folders."""

import json
import shutil

import pytest
import torch
from click.testing import CliRunner
from digits_as_images import (
    MEAN,
    STD,
    UNLEARN,
    digits_as_png,
    photos_of_digits,
    suli,
    with_classes,
)
from PIL import Image
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.data import load_deletion_data
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.receipt import read_receipt
from benchmark_adapters.images.encoded_images import EncodedImages
from suli_plugin.cli import main


def read(folder, *, mean=MEAN, std=STD, **said):
    return load_deletion_data(DataOptions(dataset=str(folder), **said), mean=mean, std=std)


@pytest.fixture
def photos(tmp_path):
    return photos_of_digits(tmp_path / "photos", per_class=4, held=2)


def test_a_class_that_is_not_there_is_no_index(tmp_path):
    names = ("101", "102", "104", "107", "110")
    folder = photos_of_digits(tmp_path / "five", per_class=2, held=1, names=names)
    with pytest.raises(ValueError, match="no class '3'; its classes: 101, 102, 104, 107, 110"):
        read(folder, forget_classes=("3",))
    with pytest.raises(ValueError, match="no class '#3'"):
        read(folder, forget_classes=("#3",))
    assert read(folder, forget_classes=("107",)).class_names == ["107"]
    counted = photos_of_digits(tmp_path / "counted", per_class=2, held=1, names=range(1, 11))
    with pytest.raises(ValueError, match="no class '0'; its classes: 1, 10, 2"):
        read(counted, forget_classes=("0",))
    without = photos_of_digits(tmp_path / "without", per_class=2, held=1, names=range(10))
    for split in ("train", "test"):
        for photo in (without / split / "3").iterdir():
            photo.unlink()
    with pytest.raises(ValueError, match="no class '3'; its classes: 0, 1, 2, 4"):
        read(without, forget_classes=("3",))


def test_a_class_may_be_told_by_its_place_among_names(photos):
    data = read(photos, forget_classes=("#3",))
    # In the order of the folders' names: eight, five, four, nine, ...
    assert data.class_names == ["nine"] and len(data.forget) == 4


def test_photos_are_told_by_path_and_keep_their_ids(photos):
    wanted = sorted(path.name for path in (photos / "train" / "three").iterdir())[1]
    before = read(photos, forget_ids=(f"three/{wanted}",))
    first = min((photos / "train" / "eight").iterdir())
    first.unlink()
    after = read(photos, forget_ids=(wanted,))
    assert after.forget.ids == before.forget.ids == [f"three/{wanted}"]
    assert after.hashes == before.hashes
    assert not after.places["forget"].contents()


def test_what_is_kept_may_be_damaged_or_of_another_size(photos):
    train = photos / "train"
    three, five, six = (min((train / name).iterdir()) for name in ("three", "five", "six"))
    five.write_bytes(five.read_bytes()[:100])
    Image.open(six).resize((9, 7)).save(six)
    data = read(photos, forget_classes=("three",))
    assert len(data.forget) == 4 and data.copies == ()
    (note,) = data.notes
    assert note.startswith("1 images of split 'train' can't be decoded, so they were not compared")
    assert f"five/{five.name}" in note
    with pytest.raises(ValueError, match=rf"row \d+ \(five/{five.name}\): the image can't be deco"):
        read(photos, forget_classes=("three",), retain="train")
    five.unlink()
    with pytest.raises(ValueError, match=rf"and 9x7 at row \d+ \(six/{six.name}\); pass --image-s"):
        read(photos, forget_classes=("three",), retain="train")
    three.write_bytes(three.read_bytes()[:100])
    with pytest.raises(ValueError, match=rf"row \d+ \(three/{three.name}\): the image can't"):
        read(photos, forget_classes=("three",))


def test_only_the_images_of_the_sets_are_decoded_for_them(photos, monkeypatch):
    decoded, decode_all = [], EncodedImages.decode_all

    def noted(images):
        decoded.extend(images.base.ids)
        return decode_all(images)

    monkeypatch.setattr(EncodedImages, "decode_all", noted)
    data = read(photos, forget_classes=("three",), test="test")
    assert sorted(decoded) == sorted([*data.forget.ids, *data.test.ids])


def test_gray_and_colour_become_what_the_original_takes_and_that_is_said(photos):
    gray = min((photos / "train" / "three").iterdir())
    colour = read(photos, forget_classes=("three",)).hashes
    Image.open(gray).convert("L").save(gray)
    data = read(photos, forget_classes=("three",), test="test")
    assert data.forget.pixels(torch.tensor([0]), torch.device("cpu"))[0].shape == (1, 3, 16, 16)
    assert data.notes == (
        "1 of the 4 forget images are gray and were made colour: the original takes 3 channels",
    )
    # What the files hold is hashed, not what was made of it.
    assert data.hashes["forget"] != colour["forget"]
    one = read(photos, mean=(0.3,), std=(0.3,), forget_classes=("three",), test="test")
    assert one.hashes == data.hashes and one.forget[0][0].shape == (1, 16, 16)
    assert one.notes == (
        "3 of the 4 forget images are colour and were made gray: the original takes 1 channel",
        "20 of the 20 test images are colour and were made gray: the original takes 1 channel",
    )


def test_one_persons_photos_are_told_by_a_column(photos):
    rows = ["file_name,person"]
    for number, path in enumerate(sorted((photos / "train").glob("*/*.png"))):
        rows.append(f"{path.relative_to(photos / 'train')},{'Ann' if number % 7 == 0 else 'Bo'}")
    (photos / "train" / "metadata.csv").write_text("\n".join(rows))
    data = read(photos, forget_where=("person=Ann",), retain="train")
    assert len(data.forget) == 6 and len(data.retain) == 34 and data.forget_classes == ()
    assert set(data.forget.ids) == {row.split(",")[0] for row in rows if row.endswith("Ann")}


def test_ids_of_rows_carry_their_content_into_the_receipt(original, digits, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "ids.txt").write_bytes("train-40\r\ntrain-7\r\n".encode("utf-16"))
    suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-ids", tmp_path / "ids.txt",
         "--method", "original", "--allow-unchanged", "--output", out)  # fmt: skip
    forgotten = read_receipt(out)["forget_set"]
    assert forgotten["ids"] == ["train-40", "train-7"] == sorted(forgotten["contents"])
    verify = ("receipt", "verify", out, "--model", original, "--dataset")
    checks = json.loads(suli(*verify, digits, "--json").stdout)
    assert {check["what"]: check["state"] for check in checks}["forget set"] == "matches"
    moved = _without_first_row(digits, tmp_path / "moved")
    said = suli(*verify, moved, code=1).output
    assert "such as 'train-40': its image is 'train-39' now" in said


def test_a_request_for_one_person_is_announced_written_and_verified(original, tmp_path):
    names = tuple("0123456789")
    original = with_classes(original, tmp_path / "original", names)
    photos = photos_of_digits(tmp_path / "photos", per_class=6, held=2, names=names)
    (photos / "train" / "LICENSE").write_text("free")
    rows = [path.relative_to(photos / "train") for path in sorted(photos.glob("train/*/*.png"))]
    (photos / "train" / "metadata.csv").write_text(
        "file_name,person\n" + "".join(f"{path},P{path.parent.name}\n" for path in rows)
    )
    out = tmp_path / "out"
    done = suli(*UNLEARN, "--model", original, "--dataset", photos, "--forget-where", "person=P8",
                "--method", "original", "--allow-unchanged", "--output", out)  # fmt: skip
    assert "note: left out: 1 file that can't be read as images (train/LICENSE)" in done.stderr
    receipt = read_receipt(out)
    assert receipt["dataset"]["options"]["forget_where"] == ["person=P8"]
    assert all(name.startswith("8/") for name in receipt["forget_set"]["ids"])
    assert receipt["forget_set"]["count"] == 6 and receipt["forget_set"]["contents"] == {}
    verified = suli("receipt", "verify", out, "--model", original, "--dataset", photos).output
    assert "forget set" in verified and "differs" not in verified


def test_a_receipt_is_not_verified_on_the_class_in_its_place(original, tmp_path):
    names = tuple("0123456789")
    original = with_classes(original, tmp_path / "original", names)
    photos = photos_of_digits(tmp_path / "photos", per_class=6, held=2, names=names)
    out = tmp_path / "out"
    suli(*UNLEARN, "--model", original, "--dataset", photos, "--forget-class", "8",
         "--method", "original", "--allow-unchanged", "--output", out)  # fmt: skip
    for split in ("train", "test"):
        shutil.rmtree(photos / split / "8")
    verify = ("receipt", "verify", out, "--model", original, "--dataset", photos, "--json")
    checks = json.loads(CliRunner().invoke(main, list(map(str, verify))).stdout)
    (forget,) = (check for check in checks if check["what"] == "forget set")
    assert forget["state"] == "not checked" and "no sample of class '8'" in forget["detail"]


def test_a_stored_split_whose_folder_was_moved_says_what_helps(original, tmp_path):
    photos = digits_as_png(tmp_path / "photos", keep=slice(60))
    suli("splits", "make", photos, "--name", "threes", "--forget-class", "three",
         "--output", tmp_path / "splits")  # fmt: skip
    photos.rename(tmp_path / "elsewhere")
    ask = (*UNLEARN, "--model", original, "--dataset", tmp_path / "splits", "--method", "original",
           "--allow-unchanged", "--output", tmp_path / "out")  # fmt: skip
    said = suli(*ask, code=1).stderr.splitlines()[-1]
    assert f"a folder '{photos}', which is not here: put the data there (a link" in said
    photos.symlink_to(tmp_path / "elsewhere")
    suli(*ask)
    assert read_receipt(tmp_path / "out")["dataset"]["stored_split"]["name"] == "threes"


def _without_first_row(digits, folder):
    from datasets import load_dataset

    files = {"train": str(digits / "plain_text" / "train-*.parquet")}
    rows = load_dataset("parquet", data_files=files, split="train")
    folder.mkdir()
    rows.select(range(1, len(rows))).to_parquet(folder / "train.parquet")
    return folder
