"""What `--workers` and `--scheduler` refuse, in one line."""

import sys

import pytest
from click.testing import CliRunner

from suli_plugin.cli import main


@pytest.mark.parametrize("command", [("run", "--scenarios", "class-3"), ("tune",)])
@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        (["--workers", "2", "--scheduler", "tcp://there:1"], {}, "give one"),
        (["--workers", "2"], {"WORLD_SIZE": "2"}, "accelerate launch"),
        (["--workers", "0"], {}, "0 is not in the range x>=1"),
    ],
)
def test_options_that_exclude_each_other(command, options, environment, message, tmp_path):
    asked = ["bench", *command[:1], "digits", *command[1:], "--methods", "su", *options]
    told = CliRunner().invoke(main, [*asked, "--output", str(tmp_path)], env=environment)
    assert told.exit_code == 2 and message in told.output and "Traceback" not in told.output
    assert not list(tmp_path.rglob("*.json"))


def test_a_missing_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "distributed", None)
    asked = "bench run digits --scenarios class-3 --methods original --seeds 0 --workers 2"
    told = CliRunner().invoke(main, [*asked.split(), "--output", str(tmp_path)])
    assert told.exit_code == 2 and "pip install 'suli-plugin[cluster]'" in told.output
