"""Data and original that do not belong together are found before anything is unlearned."""

import math

import pytest
import torch
from digits_as_images import NAMES, digits_as_png, numbered_digits, suli, with_classes
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.belonging import check_belonging, near_chance
from benchmark_adapters.deletion.forgotten_before import EarlierRequest, ForgottenBefore
from suli_plugin.evaluation import Predictions
from suli_plugin.failure import Failure


@pytest.mark.parametrize(
    ("right", "count", "outputs", "near"),
    [
        (0, 5, 10, False), (0, 6, 10, True),  # six are needed to say so
        (1, 7, 10, False), (1, 10, 10, True),
        (60, 100, 10, False), (19, 100, 10, False), (18, 100, 10, True),
        (5, 10, 2, False), (25, 50, 2, True), (30, 50, 2, False),
        (0, 1, 1000, False), (0, 7, 1000, True), (4_000, 50_000, 1000, True),
        (6_000, 50_000, 1000, False),
    ],
)  # fmt: skip
def test_near_chance_takes_enough_samples_to_say_so(right, count, outputs, near):
    assert near_chance(right, count, outputs) is near


@pytest.mark.parametrize("outputs", [2, 10, 100])
def test_a_modest_original_is_refused_less_than_once_in_a_hundred(outputs):
    rate = {2: 0.8, 10: 0.6, 100: 0.55}[outputs]
    for count in [*range(1, 60), 200, 500]:
        refused = sum(
            math.comb(count, right) * rate**right * (1 - rate) ** (count - right)
            for right in range(count + 1)
            if near_chance(right, count, outputs)
        )
        assert refused < 0.01, count


def said(answers, labels):
    logits = torch.nn.functional.one_hot(torch.tensor(answers), 10).float()
    return Predictions(logits, torch.tensor(labels))


KEPT = [label for label in range(10) if label != 3 for _ in range(20)]


def earlier(*classes):
    return tuple(EarlierRequest("su", 30, "0" * 64, (label,), (NAMES[label],)) for label in classes)


def check(forget, classes=(3,), before=(), **others):
    check_belonging({"forget": forget, **others}, classes, original="net", outputs=NAMES,
                    before=ForgottenBefore(before))  # fmt: skip


def test_a_class_that_is_hardly_known_is_no_reason_where_the_rest_is_known():
    rare = said([8] * 30, [3] * 30)
    check(rare, retain=said(KEPT, KEPT))
    check(rare, classes=(), test=said(KEPT, KEPT))
    with pytest.raises(Failure, match=r"has 0 of 30 images of the forget set right") as refused:
        check(rare)
    assert "100% of its answers are 'eight'" in str(refused.value)
    assert "show with --retain or --test" in str(refused.value)
    for option in ("--class-names", "--mean, --std", "--image-size", "count from 0"):
        assert option in str(refused.value)


def test_two_exchanged_classes_are_found_though_the_rest_is_known():
    exchanged = [3 if label == 8 else label for label in KEPT]
    with pytest.raises(Failure, match="has 0 of 20 images of 'eight' right"):
        check(said([8] * 30, [3] * 30), retain=said(exchanged, KEPT))


def test_one_of_two_forgotten_classes_in_a_wrong_place_is_found():
    both = said([3] * 30 + [6] * 30, [3] * 30 + [5] * 30)
    with pytest.raises(Failure, match=r"has 0 of 30 images"):
        check(both, classes=(3, 5))


def test_a_split_that_is_answered_by_chance_is_named_though_the_forget_set_is_known():
    constant = said([3] * len(KEPT), KEPT)
    with pytest.raises(Failure, match="has 0 of 180 images of the reference set right"):
        check(said([3] * 30, [3] * 30), reference=constant)


def test_a_class_that_was_forgotten_before_need_not_be_known():
    both = said([8] * 30 + [8] * 30, [3] * 30 + [5] * 30)
    check(said([8] * 30, [3] * 30), before=earlier(3))
    check(both, classes=(3, 5), before=earlier(3, 5))
    with pytest.raises(Failure, match="do not seem to belong together"):
        check(both, classes=(3, 5), before=earlier(3))


def test_an_offset_is_said():
    shifted = [(label - 1) % 10 for label in KEPT]
    with pytest.raises(Failure, match=r"89% of its answers are the label -1"):
        check(said([2] * 30, [3] * 30), retain=said(shifted, KEPT))


def test_so_small_a_forget_set_proves_nothing():
    check(said([1, 2, 0], [0, 1, 2]), classes=())


def refused(net, data, tmp_path, *more, forget="3"):
    """The one line of an error, said before anything was unlearned or written."""
    out = tmp_path / "out"
    done = suli("unlearn", "--model", net, "--dataset", data, "--forget-class", forget,
                "--method", "suli", "--output", out, *more, code=1)  # fmt: skip
    *_, line = done.stderr.splitlines()
    assert line.startswith("Error: ") and not out.exists() and "round 1" not in done.stderr
    return line


@pytest.fixture(scope="module")
def nameless(original, tmp_path_factory):
    return with_classes(original, tmp_path_factory.mktemp("net") / "nameless", None)


def test_labels_that_count_from_one_are_refused(nameless, tmp_path):
    counted = numbered_digits(tmp_path / "d", lambda digit: digit + 1)
    line = refused(nameless, counted, tmp_path)
    assert "split 'train'" in line and "holds label 10" in line
    assert "has 10 outputs (0 to 9); they seem to count from 1" in line


@pytest.mark.parametrize("option", ["--retain", "--test", "--reference"])
def test_a_label_without_an_output_is_refused_in_every_split_that_is_read(
    option, nameless, tmp_path
):
    data = numbered_digits(tmp_path / "d", int)
    other = numbered_digits(tmp_path / "other", lambda digit: 12 if digit == 7 else digit)
    (data / "test.parquet").write_bytes((other / "test.parquet").read_bytes())
    line = refused(nameless, data, tmp_path, option, "test")
    assert "split 'test'" in line and "holds label 12" in line and "count from 1" not in line


def test_class_folders_in_another_order_are_refused(nameless, tmp_path):
    """In the order of the alphabet `three` is not the third; no file says the original's order."""
    data = digits_as_png(tmp_path / "d")
    for more in ((), ("--retain", "train")):
        line = refused(nameless, data, tmp_path, *more, forget="three")
        assert "data and original do not seem to belong together" in line
        assert "check the order of the classes (--class-names)" in line


def test_a_wrong_normalisation_is_refused(nameless, tmp_path):
    data = numbered_digits(tmp_path / "d", int)
    wrong = ("--mean", "-90,-90,-90", "--std", "0.01,0.01,0.01")
    line = refused(nameless, data, tmp_path, *wrong, "--test", "test")
    assert "do not seem to belong together" in line and "(--mean, --std)" in line
