import json

import pytest
from digits_as_images import suli
from small_images import (
    cifar_layout,
    own_cache,  # noqa: F401  # an autouse fixture
    pixels_of,
)

from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.splits.recipes import ClassWise, InstanceWise, Listed, Reference
from benchmark_adapters.splits.split import SplitMismatch, make_split
from benchmark_adapters.splits.stored import read_split, save_split, split_names
from benchmark_adapters.splits.verified import load_split
from suli_plugin.failure import Failure


@pytest.fixture
def data(tmp_path):
    return cifar_layout(tmp_path / "d")


def made(folder, name="dogs", recipe=None, **options):
    bases = load_base(folder, split="train"), load_base(folder, split="test")
    return make_split(name, recipe or ClassWise(classes=(1,)), *bases, **options)


@pytest.mark.parametrize(
    ("recipe", "reference"),
    [
        (ClassWise(classes=(0, 2)), None),
        (InstanceWise(n=5, seed=4, stratified=True), Reference(fraction=0.2, drawn_from="train")),
        (Listed(ids=("train-3", "train-8")), Reference(fraction=0.3, seed=2)),
    ],
)
def test_a_saved_split_comes_back_the_same(tmp_path, data, recipe, reference):
    split = made(data, recipe=recipe, reference=reference)
    save_split(split, tmp_path / "splits")
    back = load_split(tmp_path / "splits")
    assert back.describe() == split.describe()
    assert (back.recipe, back.reference) == (recipe, reference)
    assert {part: back.ids(part) for part in back.rows} == {
        part: split.ids(part) for part in split.rows
    }
    assert load_split(tmp_path / "splits" / "dogs").sha256 == split.sha256


def test_many_splits_share_a_folder_and_one_image_store(tmp_path, data):
    folder = tmp_path / "splits"
    for name, recipe in (("dogs", ClassWise(classes=(1,))), ("five", InstanceWise(n=5))):
        save_split(made(data, name, recipe), folder)
    assert split_names(folder) == ("dogs", "five")
    with pytest.raises(ValueError, match=r"which split.*the splits there: dogs, five"):
        load_split(folder)
    with pytest.raises(ValueError, match="Got 'cats'"):
        read_split(folder, "cats")
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 20_000


def test_datasets_itself_loads_an_index_by_its_config(tmp_path, data):
    from datasets import load_dataset

    split = made(data)
    save_split(split, tmp_path / "splits")
    index = load_dataset(str(tmp_path / "splits"), "dogs", cache_dir=str(tmp_path / "c"))
    assert index["train"].column_names == ["id", "part"] and set(index) == {"train", "test"}
    forgotten = index["train"].filter(lambda row: row["part"] == "forget")
    assert forgotten["id"][:] == split.ids("forget")


def test_a_split_is_replaced_only_when_asked(tmp_path, data):
    folder = tmp_path / "splits"
    save_split(made(data), folder)
    other = made(data, recipe=ClassWise(classes=(2,)))
    with pytest.raises(ValueError, match="is there already"):
        save_split(other, folder)
    assert load_split(folder).forget_classes == (1,)
    save_split(other, folder, force=True)
    assert load_split(folder).forget_classes == (2,)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_what_fails_while_writing_leaves_the_old_split(tmp_path, data, monkeypatch):
    folder = tmp_path / "splits"
    save_split(made(data), folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    from benchmark_adapters.splits import stored as split_files

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(split_files, "_index_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save_split(made(data, recipe=ClassWise(classes=(2,))), folder, force=True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_names_that_are_no_folder_names_are_refused(tmp_path, data):
    for name in ("../up", "", ".hidden", "a b"):
        with pytest.raises(ValueError, match="a split's name has letters"):
            save_split(made(data, name), tmp_path / "splits")


def test_changed_pixels_are_noticed_and_the_part_is_named(tmp_path, data):
    save_split(made(data), tmp_path / "splits")
    train = pixels_of(30)
    train[4, 0, 0, 0] ^= 1  # a dog
    cifar_layout(data, train=train)
    with pytest.raises(SplitMismatch, match=r"parts differ: forget \(expected SHA-256") as caught:
        load_split(tmp_path / "splits")
    assert caught.value.parts == ("forget",) and "retain" not in str(caught.value)


def test_a_base_with_fewer_or_more_samples_is_noticed(tmp_path, data):
    save_split(made(data), tmp_path / "splits")
    cifar_layout(data, train=pixels_of(31)[:28])
    with pytest.raises(SplitMismatch, match="'train-28' is not in the base"):
        load_split(tmp_path / "splits")
    cifar_layout(data, train=pixels_of(31))
    with pytest.raises(SplitMismatch, match="1 samples of the base's split are in no part"):
        load_split(tmp_path / "splits")


def test_a_changed_index_is_noticed_and_the_parts_are_named(tmp_path, data):
    import pyarrow
    from pyarrow import parquet

    target = save_split(made(data), tmp_path / "splits") / "train.parquet"
    table = parquet.read_table(target).to_pydict()
    table["part"][1] = "retain"  # a dog that is no longer forgotten
    parquet.write_table(pyarrow.table(table), target)
    with pytest.raises(SplitMismatch) as caught:
        load_split(tmp_path / "splits")
    assert set(caught.value.parts) == {"forget", "retain"}


def test_the_data_may_lie_elsewhere_if_they_are_the_same(tmp_path, data):
    split = made(data)
    save_split(split, tmp_path / "splits")
    data.rename(tmp_path / "moved")
    with pytest.raises(Failure, match=r"not here: put the data there .* another place as base=$"):
        load_split(tmp_path / "splits")
    assert load_split(tmp_path / "splits", base=tmp_path / "moved").sha256 == split.sha256
    said = suli("splits", "show", tmp_path / "splits", "--verify", code=1).stderr.splitlines()[-1]
    assert said.endswith("take another place as --base")
    data.symlink_to(tmp_path / "moved")
    assert load_split(tmp_path / "splits").sha256 == split.sha256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format="suli-split/9"), "expected the format 'suli-split/1'"),
        (lambda d: d.pop("base"), "does not describe a split: KeyError"),
        (lambda d: d["parts"]["forget"].pop("sha256"), "does not describe a split"),
        (lambda d: d.update(sha256="0" * 64), "its own SHA-256 does not fit"),
        (lambda d: d["recipe"].update(kind="magic"), "unknown recipe 'magic'"),
    ],
)
def test_a_broken_description_is_said_in_one_line(tmp_path, data, change, message):
    path = save_split(made(data), tmp_path / "splits") / "split.json"
    described = json.loads(path.read_text())
    change(described)
    path.write_text(json.dumps(described))
    with pytest.raises(ValueError, match=message) as caught:
        load_split(tmp_path / "splits")
    assert "\n" not in str(caught.value)


def test_a_folder_without_splits_says_so(tmp_path):
    assert split_names(tmp_path) == ()
    with pytest.raises(ValueError, match="the splits there: none"):
        read_split(tmp_path)
