"""Labels in every kind that datasets have them in."""

import pytest
from digits_as_images import suli
from hypothesis import given
from hypothesis import strategies as st
from small_images import encoded, pixels_of

from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.images.labels import class_names_of, label_named, numbered
from suli_plugin.failure import Failure


def read(values, feature):
    """The labels and class names of a column."""
    from datasets import Dataset, Features

    data = Dataset.from_dict({"label": values}, features=Features({"label": feature}))
    column = data.with_format("arrow")[:].column("label")
    names = class_names_of(feature, lambda: [column], "column 'label'")
    return numbered(column, names, "column 'label'").tolist(), names


def value(kind):
    from datasets import Value

    return Value(kind)


def saved(folder, *, split="train", **columns):
    """A dataset of random images with these columns, as `save_to_disk` writes it."""
    from datasets import Dataset, Features, Image, Value

    number = len(next(iter(columns.values())))
    images = [{"bytes": encoded(image), "path": None} for image in pixels_of(number)]
    kinds = {int: "int64", str: "string", float: "float64", bool: "bool"}
    features = {name: Value(kinds[type(values[0])]) for name, values in columns.items()}
    Dataset.from_dict(
        {"img": images, **columns}, features=Features({"img": Image(), **features})
    ).save_to_disk(folder)
    return folder


@pytest.mark.parametrize(
    "kind", ["uint8", "uint16", "uint32", "uint64", "int8", "int64", "float32", "float64"]
)
def test_whole_numbers_of_any_width_are_labels(kind):
    assert read([3, 1, 250 if kind != "int8" else 100], value(kind))[0][:2] == [3, 1]
    assert read([3, 1, 2], value(kind)) == ([3, 1, 2], ())


def test_names_and_truth_values_are_numbered():
    assert read(["dog", "cat", "dog"], value("string")) == ([1, 0, 1], ("cat", "dog"))
    assert read(["10", "9", "101"], value("large_string")) == ([1, 0, 2], ("9", "10", "101"))
    assert read([True, False], value("bool")) == ([1, 0], ("False", "True"))


def test_lists_and_arrays_of_one_are_their_element():
    from datasets import Array2D, ClassLabel, LargeList, List

    classes = ClassLabel(names=["cat", "dog"])
    assert read([[1], [2]], List(value("uint8"))) == ([1, 2], ())
    assert read([[1], [2]], List(value("int64"), length=1)) == ([1, 2], ())
    assert read([[1], [2]], LargeList(value("int64"))) == ([1, 2], ())
    assert read([[[1]], [[2]]], Array2D((1, 1), "int32")) == ([1, 2], ())
    assert read([["b"], ["a"]], List(value("string"))) == ([1, 0], ("a", "b"))
    assert read([[1], [0]], List(classes)) == ([1, 0], ("cat", "dog"))


def test_several_labels_are_said_not_to_be_supported():
    from datasets import List

    for feature in (List(value("int64")), List(value("int64"), length=2)):
        with pytest.raises(ValueError, match=r"is 2 in row 0.*multi-label data are not supported"):
            read([[1, 2], [3, 4]], feature)


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ([1.0, None], "float64", "1 samples have no label, the first in row 1"),
        ([1.0, float("nan")], "float64", "1 samples have no label, the first in row 1"),
        (["a", "", None], "string", "2 samples have no label, the first in row 1"),
        ([1, 0.5], "float64", "holds 0.5 in row 1, which is the number of no class"),
        ([1, -1], "int64", r"1 samples have no label \(-1"),
    ],
)
def test_what_is_no_label_is_named_with_its_row(values, kind, message):
    with pytest.raises(ValueError, match=f"^column 'label': {message}"):
        read(values, value(kind))


def test_labels_beyond_the_declared_names_are_one_line():
    from datasets import Dataset

    column = Dataset.from_dict({"label": [0, 5, 7]}).with_format("arrow")[:].column("label")
    with pytest.raises(ValueError, match=r"2 samples have labels beyond the 3 .*5 in row 1"):
        numbered(column, ("a", "b", "c"), "column 'label'")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1.0, float("nan")], "1 samples have no label"),
        ([1.0, 0.5], "the number of no class"),
        ([1, -1], "1 samples have no label"),
        ([[1, 2], [3, 4]], "multi-label data are not supported"),
        ([["a", "b"], ["c", "d"]], "multi-label data are not supported"),
    ],
)
def test_labels_that_can_not_be_used_are_the_datas_fault_unless_their_column_was_asked_for(
    labels, message, tmp_path
):
    from datasets import load_from_disk

    saved(tmp_path / "images", number=[0, 1])
    data = load_from_disk(tmp_path / "images").add_column("label", labels)
    data.save_to_disk(tmp_path / "d")
    make = ("splits", "make", tmp_path / "d", "--name", "s", "--output", tmp_path / "s")
    for more, code in (((), 1), (("--label-column", "label"), 2)):
        said = suli(*make, "--forget-number", "1", *more, code=code).stderr.splitlines()[-1]
        assert message in said and "column 'label'" in said
    with pytest.raises(Failure, match=message):
        load_base(tmp_path / "d", split="train").labels  # noqa: B018  # reading it raises


@given(names=st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1))
def test_every_name_is_found_again_under_its_label(names):
    labels, known = read(names, value("string"))
    assert [known[label] for label in labels] == names
    assert [label_named(name, known, lambda: labels, "data") for name in names] == labels


def test_where_names_are_numerals_only_names_count():
    folders = ("101", "102", "104", "107", "110")
    assert label_named("104", folders, lambda: None, "photos") == 2
    for wrong in ("3", "#3", 3):
        with pytest.raises(ValueError, match=f"no class '{wrong}'; its classes: 101, 102, .* 110$"):
            label_named(wrong, folders, lambda: None, "photos")


def test_names_are_numbered_the_same_in_every_split(tmp_path):
    from datasets import DatasetDict, load_from_disk

    parts = {"train": ["cat", "dog", "frog"], "test": ["frog", "dog", "dog"]}
    for name, labels in parts.items():
        saved(tmp_path / name, label=labels)
    DatasetDict({name: load_from_disk(tmp_path / name) for name in parts}).save_to_disk(
        tmp_path / "d"
    )
    test = load_base(tmp_path / "d", split="test")
    assert test.class_names == ("cat", "dog", "frog") and test.labels.tolist() == [2, 1, 1]


def test_a_label_of_text_beside_a_target_is_the_label_and_that_is_said(tmp_path):
    folder = saved(tmp_path / "d", label=["dog", "cat"], target=[5, 6])
    base = load_base(folder, split="train")
    assert base.labels.tolist() == [1, 0]
    assert base.notes == (
        "the labels are those of column 'label', not of 'target' (--label-column)",
    )
    asked = load_base(folder, split="train", label_column="target")
    assert asked.labels.tolist() == [5, 6]


def test_class_labels_of_another_name_beside_a_label_are_asked_about(tmp_path):
    from datasets import ClassLabel, load_from_disk

    saved(tmp_path / "plain", label=["x", "y"], breed=[0, 1])
    plain = load_from_disk(tmp_path / "plain")
    plain.cast_column("breed", ClassLabel(names=["pug", "poodle"])).save_to_disk(tmp_path / "d")
    with pytest.raises(ValueError, match=r"the label, 'label' or the class labels 'breed'\?"):
        load_base(tmp_path / "d", split="train")
