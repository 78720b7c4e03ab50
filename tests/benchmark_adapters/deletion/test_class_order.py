"""The class list is the original's: data in another order, in other case, and with classes gone."""

import json
import shutil

import pytest
from digits_as_images import NAMES, UNLEARN, digits_as_png, suli, with_classes
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.class_order import outputs_by_name
from benchmark_adapters.deletion.data import load_deletion_data
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.receipt import read_receipt
from benchmark_adapters.deletion.request import make_request
from benchmark_adapters.originals.load import load_original
from suli_plugin.plugins import registry

TITLES = tuple(name.title() for name in NAMES)
QUICK = ("--method", "su", "--set", "epochs=1")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Photos whose class folders are Eight, Five, Four and so on."""
    return digits_as_png(tmp_path_factory.mktemp("photos") / "digits", TITLES)


def ask(net, data, out, forget, *more, code=0):
    return suli(*UNLEARN, "--model", net, "--dataset", data, "--forget-class", forget, *QUICK,
                "--output", out, *more, code=code)  # fmt: skip


def states(folder, net, data):
    done = suli("receipt", "verify", folder, "--model", net, "--dataset", data,
                "--allow-unchecked", "--json")  # fmt: skip
    return {check["what"]: check for check in json.loads(done.stdout)}


@pytest.mark.parametrize(
    ("own", "classes", "outputs"),
    [
        (("b", "a"), ("a", "b"), (1, 0)),
        (("B", "a"), ("a", "b", "c"), (1, 0)),
        (("a", "x"), ("a", "b"), (0, -1)),
        (("a", "A"), ("A", "a"), (1, 0)),  # two names that only case tells apart
        (("A", "b"), ("a", "A", "b"), (1, 2)),
        (("B",), ("a", "A", "b"), (-1,)),
    ],
)
def test_names_are_matched_whatever_their_case_unless_that_makes_two_one(own, classes, outputs):
    assert outputs_by_name(own, classes) == outputs


def test_another_order_and_case_are_matched_by_name_and_said(original, photos, tmp_path):
    out = tmp_path / "out"
    done = ask(original, photos, out, "Three", "--retain", "train")
    assert "note: the classes of" in done.stderr and "'Eight', label 0 of the data" in done.stderr
    assert "is output 8" in done.stderr and "all of class three" in done.stderr
    receipt = read_receipt(out)
    assert receipt["forget_set"]["classes"] == [3]
    assert receipt["forget_set"]["class_names"] == ["three"]
    assert receipt["original_metrics"]["forget_accuracy"] > 0.9
    assert receipt["original_metrics"]["retain_accuracy"] > 0.9
    assert receipt["dataset"]["class_order"] == {name: TITLES.index(name) for name in TITLES}
    assert {check["state"] for check in states(out, original, photos).values()} == {"matches"}
    gone = shutil.copytree(photos, tmp_path / "gone")
    shutil.rmtree(gone / "train" / "Three")
    forgotten = states(out, original, gone)["forget set"]
    assert forgotten["state"] == "not checked"
    assert forgotten["detail"].startswith("these data are gone: ")


def test_the_next_request_is_possible_when_a_class_is_gone(original, photos, tmp_path):
    gone = shutil.copytree(photos, tmp_path / "gone")
    shutil.rmtree(gone / "train" / "Three")
    ask(original, gone, tmp_path / "out", "five")
    assert read_receipt(tmp_path / "out")["forget_set"]["classes"] == [5]
    for name in ("three", "#3"):
        said = ask(original, gone, tmp_path / "o", name, code=2).stderr.splitlines()[-1]
        assert "has no sample of class 'three' in split 'train'" in said


def test_a_class_that_the_original_does_not_have_is_named(original, tmp_path):
    data = digits_as_png(tmp_path / "d", (*NAMES[:9], "ten"))
    said = ask(original, data, tmp_path / "o", "three", code=1).stderr.splitlines()[-1]
    assert "holds samples of 'ten', and the original has no such class" in said
    assert "--class-names" in said


def test_names_are_given_for_an_original_that_has_none(original, photos, tmp_path):
    nameless = with_classes(original, tmp_path / "nameless", None)
    listed, out = tmp_path / "names.txt", tmp_path / "out"
    listed.write_text("\ufeff" + "\n".join(NAMES) + "\n\n", encoding="utf-8")
    ask(nameless, photos, out, "three", "--class-names", listed)
    assert load_original(out).config.classes == NAMES
    assert read_receipt(out)["original"]["given"] == {"classes": list(NAMES)}
    assert {check["state"] for check in states(out, nameless, photos).values()} == {"matches"}
    listed.write_text("\n".join(NAMES), encoding="utf-16")
    ask(nameless, photos, out, "three", "--class-names", listed, "--force")
    missing = ask(nameless, photos, out, "three", "--class-names", tmp_path / "no", "--force",
                  code=2).stderr.splitlines()[-1]  # fmt: skip
    assert f"--class-names {tmp_path / 'no'} can't be read" in missing
    for lines, why in (
        (
            NAMES[:9],
            "9 classes are named, and it has 10: pass 10 names, in the order of",
        ),
        ((), "holds no name"),
        (("a", *NAMES[:8], "a"), "names 'a' twice"),
    ):
        listed.write_text("\n".join(lines))
        said = suli(*UNLEARN, "--model", nameless, "--dataset", photos, "--forget-class", "three",
                    *QUICK, "--class-names", listed, "--output", tmp_path / "o",
                    code=1 if len(lines) == 9 else 2)  # fmt: skip
        assert why in said.stderr.splitlines()[-1]


def test_fewer_classes_than_outputs_need_names(original, photos, tmp_path):
    nameless = with_classes(original, tmp_path / "nameless", None)
    gone = shutil.copytree(photos, tmp_path / "gone")
    shutil.rmtree(gone / "train" / "Three")
    said = ask(nameless, gone, tmp_path / "o", "Five", code=2).stderr.splitlines()[-1]
    assert "has 9 classes, and" in said and "name them with --class-names" in said


def test_names_that_have_nothing_in_common_leave_the_order_to_the_answers(original, tmp_path):
    """Digits in the order 0 to 9 under other names: the original's answers show that it is so."""
    letters = tuple("abcdefghij")
    data = digits_as_png(tmp_path / "d", letters)
    ask(original, data, tmp_path / "out", "d")
    assert read_receipt(tmp_path / "out")["forget_set"]["classes"] == [3]
    turned = digits_as_png(tmp_path / "t", letters[::-1])
    said = ask(original, turned, tmp_path / "o", "d", code=1).stderr
    assert "do not seem to belong together" in said


def test_a_stored_split_is_put_in_order_too(original, photos, tmp_path):
    suli("splits", "make", photos, "--name", "threes", "--forget-class", "Three", "--test-split",
         "none", "--output", tmp_path / "s")  # fmt: skip
    suli(*UNLEARN, "--model", original, "--dataset", tmp_path / "s" / "threes", *QUICK,
         "--output", tmp_path / "out")  # fmt: skip
    receipt = read_receipt(tmp_path / "out")
    assert receipt["forget_set"]["classes"] == [3]
    assert receipt["original_metrics"]["forget_accuracy"] > 0.9


def test_from_python_data_in_another_order_are_refused(original, photos):
    net = load_original(original)
    options = DataOptions(dataset=str(photos), forget_classes=("Three",))
    data = load_deletion_data(options, mean=net.config.mean, std=net.config.std)
    with pytest.raises(ValueError, match=r"classes=original\.config\.classes"):
        make_request(net, data, "su", {}, registry())


def test_photos_that_are_gone_are_not_checked(original, photos, tmp_path):
    data = shutil.copytree(photos, tmp_path / "d")
    listed = sorted(path for path in (data / "train" / "Three").iterdir())[:4]
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(path.name for path in listed))
    suli(*UNLEARN, "--model", original, "--dataset", data, "--forget-ids", ids, "--method",
         "original", "--allow-unchanged", "--output", tmp_path / "out")  # fmt: skip
    for path in listed:
        path.unlink()
    forgotten = states(tmp_path / "out", original, data)["forget set"]
    assert forgotten["state"] == "not checked" and "these data are gone" in forgotten["detail"]
