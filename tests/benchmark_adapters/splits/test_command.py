import json
import sys

import pytest
from click.testing import CliRunner
from small_images import (
    cifar_layout,
    image_folder,
    own_cache,  # noqa: F401  # an autouse fixture
    pixels_of,
)

from suli_plugin.cli import main


@pytest.fixture
def data(tmp_path):
    return cifar_layout(tmp_path / "d")


def suli(*arguments, code=0):
    done = CliRunner().invoke(main, ["splits", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output if code else done.stdout


def test_make_writes_a_split_that_show_verifies(data, tmp_path):
    out = tmp_path / "splits"
    said = suli("make", data, "--name", "dogs", "--forget-class", "dog", "--output", out)
    assert "dogs: class-wise, classes [1]" in said and "forget" in said
    shown = json.loads(suli("show", out, "dogs", "--verify", "--json"))
    assert shown["parts"]["forget"]["count"] == 10 and shown["verified"] is True
    assert shown["sha256"] in said
    assert suli("show", out).startswith("dogs: class-wise")


def test_make_by_number_is_reproducible_and_holds_out_a_reference(data, tmp_path):
    def make(name, *more):
        options = ("--forget-number", 6, "--seed", 2, "--stratified", "--reference", 0.5, *more)
        return json.loads(
            suli("make", data, "--name", name, *options, "--output", tmp_path, "--json")
        )

    one, two = make("a"), make("b")
    assert one["sha256"] == two["sha256"]
    assert one["parts"]["reference"] == {**one["parts"]["reference"], "of": "test", "count": 6}
    assert make("c", "--reference-from", "train")["parts"]["reference"]["of"] == "train"
    assert (
        "test_retain" not in make("e", "--test-split", "none", "--reference-from", "train")["parts"]
    )


def test_make_by_ids_warns_of_copies_left_behind(tmp_path):
    train = pixels_of(30)
    train[20] = train[3]
    (tmp_path / "ids.txt").write_text("train-3\n\ntrain-5\n")
    said = suli(
        "make", cifar_layout(tmp_path / "d", train=train), "--name", "request",
        "--forget-ids", tmp_path / "ids.txt", "--output", tmp_path / "s",
    )  # fmt: skip
    assert "listed, n 2" in said
    assert "1 images of retain are exact copies of forgotten ones (train-20 of train-3)" in said


def test_make_by_the_value_of_a_column(tmp_path):
    data = cifar_layout(tmp_path / "d", person=lambda row: "Ann" if row in (4, 7) else "Bo")
    make = ("make", data, "--name", "ann", "--forget-where", "person=Ann", "--output", tmp_path)
    assert "listed, n 2, where ['person=Ann']" in suli(*make)
    shown = json.loads(suli("show", tmp_path, "ann", "--verify", "--json"))
    assert shown["recipe"] == {"kind": "listed", "n": 2, "where": ["person=Ann"]}
    assert shown["parts"]["forget"]["count"] == 2


def test_listed_ids_carry_their_content_which_is_checked(tmp_path):
    data = cifar_layout(tmp_path / "d", person=lambda row: "Ann" if row in (4, 7) else "Bo")
    listed = suli("ids", data, "--where", "person=Ann")
    assert [line.partition("\t")[0] for line in listed.splitlines()] == ["train-4", "train-7"]
    (tmp_path / "ids.txt").write_text(listed)
    make = ("make", data, "--name", "s", "--forget-ids", tmp_path / "ids.txt", "--output",
            tmp_path / "s")  # fmt: skip
    assert "listed, n 2" in suli(*make)
    # The first row goes, and every photo moves up.
    cifar_layout(data, train=pixels_of(30)[1:], person="P{}".format)
    said = suli(*make, "--force", code=1)
    assert "such as 'train-4': its image is 'train-3' now" in said
    dogs = suli("ids", data, "--class", "dog", "--split", "test").splitlines()
    assert [line.partition("\t")[0] for line in dogs] == [f"test-{row}" for row in (1, 4, 7, 10)]


def test_make_says_what_was_left_out(tmp_path):
    photos = image_folder(tmp_path / "d", "train", "test")
    (photos / "train" / "cat" / "IMG_1.HEIC").write_bytes(b"no image that can be read")
    done = CliRunner().invoke(main, ["splits", "make", str(photos), "--name", "s", "--output",
                                     str(tmp_path / "s"), "--forget-class", "dog"])  # fmt: skip
    assert done.exit_code == 0
    assert done.stderr.count("note: left out: 1 file that can't be read as images") == 1
    assert "train/cat/IMG_1.HEIC" in done.stderr


def test_push_publishes_what_was_checked(hub, data, tmp_path):
    suli("make", data, "--name", "dogs", "--forget-class", "#1", "--output", tmp_path / "s")
    pushed = json.loads(suli("push", tmp_path / "s", "org/splits", "--json"))
    assert pushed["changed"] and len(pushed["revision"]) == 40
    assert "there already" in suli("push", tmp_path / "s", "org/splits")
    shown = suli("show", f"org/splits@{pushed['revision']}", "--verify", "--base", data)
    assert pushed["sha256"] in shown and "hf_ada" not in shown
    proposed = suli("make", data, "--name", "b", "--forget-number", 2, "--output", tmp_path / "t")
    assert "b: instance-wise" in proposed
    assert "/discussions/1" in suli("push", tmp_path / "t", "org/splits", "--create-pr")


def test_what_does_not_match_its_hash_fails_with_one(data, tmp_path):
    out = tmp_path / "s"
    suli("make", data, "--name", "dogs", "--forget-class", "dog", "--output", out)
    cifar_layout(data, train=pixels_of(30, seed=9))
    for command in (("show", out, "--verify"), ("push", out, "org/splits")):
        assert "these parts differ: forget" in suli(*command, code=1)


def test_a_hub_that_refuses_fails_with_one(hub, tmp_path):
    said = suli(
        "make", "org/none", "--name", "x", "--forget-number", 1, "--output", tmp_path, code=1
    )
    assert "Error: org/none: there is no such repository" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "say what to forget, in one way"),
        (("--forget-class", "dog", "--forget-number", "3"), "say what to forget, in one way"),
        (
            ("--forget-class", "1"),
            "no class '1'; its classes: cat, dog, frog (a class by its",
        ),
        (("--forget-class", "dog", "--forget-where", "label=dog"), "in one way"),
        (("--forget-where", "person=Ann"), "has no column 'person'"),
        (("--forget-class", "bird"), "no class 'bird'; its classes: cat, dog, frog"),
        (("--forget-number", "0"), "n must be at least 1"),
        (("--forget-number", "99"), "forgets all 30"),
        (("--forget-ids", "/nowhere"), "--forget-ids /nowhere can't be read"),
        (("--forget-number", "3", "--reference", "2"), "fraction must be above 0 and below 1"),
        (("--forget-number", "3", "--train-split", "valid"), "no split 'valid'"),
        (("--forget-number", "3", "--test-split", "valid"), "no split 'valid'"),
        (("--forget-number", "3", "--image-column", "face"), "no image column 'face'"),
        (("--forget-number", "3", "--name", "../x"), "a split's name has letters"),
    ],
)
def test_wrong_usage_is_said_in_one_line_with_two(data, tmp_path, options, message):
    said = suli("make", data, "--name", "s", "--output", tmp_path / "s", *options, code=2)
    assert message in said and "Traceback" not in said
    assert not (tmp_path / "s").exists()


def test_an_existing_split_is_kept_without_force(data, tmp_path):
    make = ("make", data, "--name", "s", "--output", tmp_path / "s")
    suli(*make, "--forget-number", 3)
    assert "is there already" in suli(*make, "--forget-number", 4, code=2)
    suli(*make, "--forget-number", 4, "--force")


def test_the_help_of_the_command_loads_no_torch():
    import subprocess

    script = (
        "import sys; from click.testing import CliRunner; from suli_plugin.cli import main; "
        "done = CliRunner().invoke(main, ['splits', 'make', '--help']); "
        "assert '--forget-class' in done.output; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
