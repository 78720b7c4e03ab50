"""What a command says of a failure: one line, and never a failure of its own."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from digits_as_images import suli
from huggingface_hub import constants

from benchmark_adapters.command_line.one_line_errors import one_line_errors
from suli_plugin.failure import Failure


def failing(error):
    @click.command()
    @click.option("--mean")
    def command(mean):
        with one_line_errors():
            raise error

    done = CliRunner().invoke(command, [])
    return done.exit_code, done.stderr.splitlines()[-1]


def test_the_line_is_for_who_typed_the_command():
    assert failing(ValueError("pass mean=\nnow")) == (2, "Error: pass --mean now")
    assert failing(Failure("it\nbroke")) == (1, "Error: it broke")
    assert failing(OSError(28, "No space left", "x")) == (1, "Error: [Errno 28] No space left: 'x'")


class Untold(ValueError):
    def __str__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize("error", [Untold(), ValueError(), TypeError("")])
def test_an_error_without_words_is_named(error):
    assert failing(error) == (2, f"Error: {type(error).__name__}")


def said(tmp_path, model):
    """The line that `suli unlearn` says of an original that can't be had."""
    options = ("--dataset", "nowhere", "--forget-class", "3", "--output", tmp_path / "o")
    done = suli("unlearn", "--method", "suli", "--model", model, *options, code=1)
    return done.stderr.splitlines()[-1]


def as_folder(place):
    place.mkdir()


def as_pixels(place):
    place.write_bytes(b"\xff\xd8\xff\xe0")


def below_a_file(place):
    place.parent.write_text("")


@pytest.mark.parametrize("made", [as_folder, as_pixels, below_a_file])
def test_a_token_file_that_can_not_be_read_hides_no_message(made, tmp_path, hub, monkeypatch):
    place = tmp_path / "token" if made is not below_a_file else tmp_path / "file" / "token"
    made(place)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(place))
    assert "no such file or folder" in said(tmp_path, "nowhere.pth")
    if made is not below_a_file:
        line = said(tmp_path, "org/net")
        assert f"the file that holds your token, {place}, can't be read" in line


def test_a_name_that_is_no_text_is_told_all_the_same(tmp_path):
    assert "no such file or folder" in said(tmp_path, os.fsdecode(b"caf\xe9.pth"))


def unlearn_in_a_shell(tmp_path, model, more="", **environment):
    command = f"{sys.executable} -m suli_plugin unlearn --method suli --dataset nowhere " + (
        f"--forget-class 3 --output o --model {model} {more}"
    )
    settings = {"env": {**os.environ, **environment}, "cwd": tmp_path, "capture_output": True}
    done = subprocess.run(command, shell=True, text=True, **settings)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    return done.stderr


def test_without_standard_error_it_ends_with_its_exit_code(tmp_path):
    assert unlearn_in_a_shell(tmp_path, "nowhere.pth", "2>&-") == ""


def test_a_cache_that_can_not_be_written_is_named_with_what_moves_it(hub, tmp_path):
    hub.seed_repo("org/net", "model", {"model.safetensors": b"x", "config.json": b"{}"})
    (tmp_path / "file").write_text("a file, below which no folder can be made")
    place = tmp_path / "file" / "cache"
    line = unlearn_in_a_shell(tmp_path, "org/net", HF_HOME=str(place)).splitlines()[-1]
    assert line.startswith("Error: ") and str(place) in line
    assert line.endswith("set HF_HOME to a folder that can be written")


def test_a_cache_that_was_moved_alone_is_named_by_what_moves_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    for place in (tmp_path / "datasets" / "x", tmp_path):
        code, line = failing(PermissionError(13, "Permission denied", str(place)))
        assert code == 1 and "set HF_DATASETS_CACHE to a folder that can be written" in line
        assert "HF_HOME" in line


def test_other_files_that_can_not_be_written_are_no_cache():
    for error in (
        PermissionError(13, "Permission denied", "/somewhere/else"),
        OSError("no number"),
        OSError(5, "Input/output error", str(Path(os.environ["HF_HOME"]) / "x")),
    ):
        assert "HF_HOME" not in failing(error)[1]
