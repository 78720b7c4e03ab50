"""Records: whole or refused."""

import json
import math
import os
import stat
import threading

import pytest

from benchmark_adapters.records.record import (
    check_record,
    read_record,
    write_atomically,
    write_record,
)


def record(**changes):
    whole = {
        "benchmark": "digits", "scenario": "class-3", "method": "suli", "hyperparameters": {},
        "seed": 0, "metrics": {"forget_accuracy": 0.0}, "seconds": {"update": 1.0, "total": 2.0},
        "passes": {"forward": {}, "backward": {}}, "scope": "class-wise", "stop_reason": "done",
        "history": [], "precision": "no", "processes": 1, "device": "cpu", "hardware": "x",
        "cell": "c", "forget_set_hash": "f", "original_hash": "o", "unlearned_hash": "u",
        "plugin": {}, "versions": {}, "command": "suli", "created": "now",
        "case": "c", "original": {}, "options": {}, "sizes": {}, "set_hashes": {},
    }  # fmt: skip
    return {**whole, **changes}


def test_a_record_comes_back_with_its_version_and_digest(tmp_path):
    written = write_record(tmp_path / "a" / "r.json", record(history=[(1, 2)]))
    back = read_record(tmp_path / "a" / "r.json")
    assert written == back and back["history"] == [[1, 2]]
    assert back["schema_version"] == 2 and len(back["digest"]) == 64
    assert {k: v for k, v in back.items() if k not in ("schema_version", "digest")} == record(
        history=[[1, 2]]
    )


@pytest.mark.parametrize("length", [0, 1, 40, 300, -2])
def test_a_cut_file_is_refused(tmp_path, length):
    path = tmp_path / "r.json"
    write_record(path, record())
    path.write_text(path.read_text()[:length])
    with pytest.raises(ValueError, match="is not a"):
        read_record(path)


def test_one_altered_number_is_noticed(tmp_path):
    path = tmp_path / "r.json"
    write_record(path, record())
    path.write_text(path.read_text().replace('"forget_accuracy": 0.0', '"forget_accuracy": 0.1'))
    with pytest.raises(ValueError, match="digest does not match"):
        read_record(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": {"forget_accuracy": 99.0}}, r"in \[0, 1\], got 99"),
        ({"metrics": {"activation_distance": 1.5}}, r"in \[0, 1.414\], got 1.5"),
        ({"metrics": {"relearn_updates": -1}}, r"in \[0, inf\], got -1"),
        ({"metrics": {"zrf": True}}, "must be a number, got True"),
        ({"metrics": {"mia_accuracy": math.nan}}, "JSON compliant"),
        ({"seed": "0"}, "'seed' must be int"),
        ({"command": None}, "'command' must be str"),
        ({"history": [math.inf]}, "JSON compliant"),
        # As text, 10 comes before 9.
        ({"history": [{9: 0, 10: 0}]}, "the digest does not match"),
    ],
)
def test_a_broken_record_is_not_written(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        write_record(tmp_path / "r.json", record(**change))
    assert not list(tmp_path.iterdir())


def test_a_later_schema_is_refused():
    with pytest.raises(ValueError, match="schema version 3, expected 2"):
        check_record({**record(), "schema_version": 3, "digest": "d"})


def test_readers_never_see_a_part_while_others_write(tmp_path):
    path = tmp_path / "r.json"
    texts = [json.dumps({"who": n, "filling": "x" * 200_000}) for n in range(2)]
    write_atomically(path, texts[0])
    stop = threading.Event()

    def keep_writing(text):
        while not stop.is_set():
            write_atomically(path, text)

    writers = [threading.Thread(target=keep_writing, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    try:
        seen = {path.read_text() for _ in range(200)}
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert seen <= set(texts)
    assert os.listdir(tmp_path) == ["r.json"]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_who_may_read_it_is_the_umask_to_say(mask, tmp_path):
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "record.json", "{}")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "record.json").stat().st_mode) == 0o666 & ~mask
