"""A receipt's fields: what is unknown, missing or mistyped is refused with the field's name."""

import json
from functools import reduce

import pytest
from digits_as_images import suli
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.checkpoint_files import RECEIPT
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.receipt import read_receipt
from benchmark_adapters.deletion.receipt_fields import check_fields

HASH = "0" * 64


@pytest.fixture
def receipt(unlearned):
    return read_receipt(unlearned)


def places(value, path=()):
    """Where every value of a document stands, the objects' own included."""
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for key, item in enumerate(value[:2]):
            yield from places(item, (*path, key))


def at(value, path):
    return reduce(lambda inside, key: inside[key], path, value)


def written(path):
    """How a message names a place."""
    name = ""
    for key in path:
        name += f"[{key}]" if isinstance(key, int) else f".{key}" if name else key
    return name


# What they hold is by name, of which some may be absent, or free.
FREE = {
    ("original", "given"), ("dataset", "sets"), ("files",), ("original_metrics",),
    ("not_measured",), ("record", "hyperparameters"), ("record", "metrics"), ("record", "notes"),
    ("record", "sizes"), ("record", "set_hashes"), ("record", "passes", "forward"),
    ("record", "passes", "backward"), ("forget_set", "contents"),
}  # fmt: skip


def refusal(receipt):
    with pytest.raises(ValueError) as caught:
        check_fields(receipt)
    return str(caught.value)


def test_every_field_that_is_missing_is_named(receipt):
    check_fields(receipt)
    inner = [path for path in places(receipt) if path and isinstance(path[-1], str)]
    needed = [path for path in inner if path[:-1] not in FREE]
    assert len(needed) > 80
    for path in needed:
        parent = at(receipt, path[:-1])
        kept = parent.pop(path[-1])
        assert refusal(receipt) == f"it lacks '{written(path)}'"
        parent[path[-1]] = kept


def test_every_field_that_is_unknown_is_named(receipt):
    closed = [path for path in places(receipt) if isinstance(at(receipt, path), dict)]
    assert len(closed) > 25
    for path in closed:
        if path in FREE - {("dataset", "sets"), ("original", "given")}:
            continue
        at(receipt, path)["surprise"] = 1
        assert refusal(receipt) == f"it has no field '{written((*path, 'surprise'))}'"
        del at(receipt, path)["surprise"]


def test_every_field_that_is_mistyped_is_named(receipt):
    for path in [path for path in places(receipt) if path]:
        parent, key = at(receipt, path[:-1]), path[-1]
        kept, parent[key] = parent[key], object()
        assert refusal(receipt).startswith(f"'{written(path)}' must be ")
        parent[key] = kept


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("record.seed", "zero", "'record.seed' must be a whole number from 0, got 'zero'"),
        ("record.seed", 1.0, "'record.seed' must be a whole number from 0, got 1.0"),
        ("record.seed", True, "'record.seed' must be a whole number from 0, got True"),
        ("record.seed", -1, "'record.seed' must be a whole number from 0, got -1"),
        ("record.seconds.total", float("nan"), "'record.seconds.total' must be a finite number"),
        ("record.metrics.forget_accuracy", float("inf"), "'record.metrics.forget_accuracy' must"),
        ("record.hyperparameters.lr", float("nan"), "'record.hyperparameters.lr' must be JSON"),
        ("record.scope", "classy", "'class-wise' or 'instance-wise', got 'classy'"),
        ("record.history", [{"step": 1}], "it lacks 'record.history[0].loss'"),
        ("record.created", "yesterday", "'record.created' must be a moment with its time zone"),
        ("record.created", "2026-01-01T00:00:00", "'record.created' must be a moment with its"),
        ("record.original.sha256", "abc", "'record.original.sha256' must be 64 hexadecimal"),
        ("original.sha256", HASH.upper() + "A", "'original.sha256' must be 64 hexadecimal digits"),
        ("original.commit", "main", "'original.commit' must be 40 hexadecimal digits"),
        ("original.folder", 1, "'original.folder' must be true or false, got 1"),
        ("original.given.token", "x", "it has no field 'original.given.token'"),
        ("dataset.sets.forget.sha256", None, "'dataset.sets.forget.sha256' must be 64"),
        ("dataset.sets.secret", {}, "it has no field 'dataset.sets.secret'"),
        ("dataset.options.image_size", "16", "'dataset.options.image_size' must be a whole number"),
        ("dataset.options.forget_classes", ["three", 3], "forget_classes[1]' must be text, got 3"),
        ("dataset.options.test", 7, "'dataset.options.test' must be text, got 7"),
        ("forget_set.count", "42", "'forget_set.count' must be a whole number from 0, got '42'"),
        ("forget_set.copies", [{"part": "retain"}], "it lacks 'forget_set.copies[0].id'"),
        ("files.LICENSE", "0", "'files.LICENSE' must be 64 hexadecimal digits, got '0'"),
        ("result.weights_file", "../x", "'result.weights_file' must be 'model.safetensors', got"),
        ("reads", ["everything"], "'reads[0]' must be 'forget' or 'retain' or"),
        ("note", "hello", "it has no field 'note'"),
    ],
)  # fmt: skip
def test_what_a_field_must_be_is_said(path, value, why, receipt):
    *parents, key = path.split(".")
    at(receipt, parents)[key] = value
    with pytest.raises(ValueError) as caught:
        check_fields(receipt)
    assert why in str(caught.value)


def test_an_option_of_the_data_needs_no_line(receipt):
    options = receipt["dataset"]["options"]
    assert options.keys() == DataOptions(dataset="x").as_dict().keys()
    del options["image_size"]
    with pytest.raises(ValueError, match=r"it lacks 'dataset\.options\.image_size'"):
        check_fields(receipt)


@pytest.mark.parametrize(
    ("text", "why"),
    [('"seed": NaN', "NaN is no number"), ('"seed": 1e999', "too large a number"),
     ('"seed": "one"', "'record.seed' must be a whole number from 0, got 'one'")],
)  # fmt: skip
def test_the_command_says_it_in_one_line(text, why, receipt, tmp_path):
    path = tmp_path / RECEIPT
    path.write_text(json.dumps(receipt).replace('"seed": 0', text))
    for command in (("receipt", "verify", tmp_path), ("publish", tmp_path, "ada/net")):
        said = suli(*command, code=1 if command[0] == "receipt" else 2)
        line = said.stderr.splitlines()[-1]
        assert line.startswith("Error: ") and str(path) in line and why in line


def test_a_format_of_before_is_told_in_one_line(receipt):
    with pytest.raises(ValueError) as caught:
        check_fields({**receipt, "format": "suli-receipt/1"})
    assert "has the format 'suli-receipt/1', this version reads 'suli-receipt/3' and" in str(
        caught.value
    )
