"""Progress of a deletion request where nobody watches a terminal: lines in a log."""

import re

from digits_as_images import UNLEARN, suli
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.progress import RoundLines, round_progress
from suli_plugin.history import HistoryEntry


def entry(step, loss=0.5, forget=0.25):
    return HistoryEntry(step, loss, forget, layer=None, accepted=True)


def test_the_first_round_is_said_then_one_now_and_then_and_the_last(monkeypatch, capsys):
    clock = iter([0.0, 1.0, 1.0, 2.0, 40.0, 40.0, 41.0, 42.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    lines = RoundLines(every=30)
    for step in range(1, 5):
        lines(entry(step))
    lines.end()
    assert capsys.readouterr().err.splitlines() == [
        "round 1 after 1 s: loss 0.5000, forget 0.2500",
        "round 3 after 40 s: loss 0.5000, forget 0.2500",
        "round 4 after 42 s: loss 0.5000, forget 0.2500",
    ]


def test_a_round_without_loss_or_accuracy_is_said_too(capsys):
    lines = RoundLines()
    lines(entry(1, None, None))
    lines.end()
    assert capsys.readouterr().err == "round 1 after 0 s\n"


def test_other_processes_say_nothing(capsys):
    with round_progress(shown=False) as progress:
        progress(entry(1))
    assert capsys.readouterr().err == ""


def test_a_log_of_the_command_shows_the_rounds(original, digits, tmp_path):
    done = suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "three",
                "--method", "su", "--output", tmp_path / "out")  # fmt: skip
    rounds = [line for line in done.stderr.splitlines() if line.startswith("round ")]
    assert re.fullmatch(r"round 1 after \d+ s: loss [\d.]+, forget [\d.]+", rounds[0])
