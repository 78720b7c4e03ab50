"""A message on the command line names options, not parameters of Python."""

import click
import pytest
from click.testing import CliRunner
from digits_as_images import suli, with_classes
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.command_line.one_line_errors import one_line_errors
from benchmark_adapters.command_line.option_names import in_options


def said(message):
    """What a command with these options says when this goes wrong."""

    @click.command()
    @click.option("--image-size")
    @click.option("--forget-class", "classes")
    @click.option("--class-names")
    @click.option("--mean", "-m")
    @click.option("--std")
    @click.option("--image-column")
    def command(**options):
        with one_line_errors():
            raise ValueError(message)

    return CliRunner().invoke(command, []).stderr.splitlines()[-1].removeprefix("Error: ")


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("pass size= to resize them", "pass --image-size to resize them"),
        ("pass mean= and std= (per channel)", "pass --mean and --std (per channel)"),
        ("pass --image-size (size=) to resize", "pass --image-size to resize"),
        ("Pass image_column=; its columns: a", "Pass --image-column; its columns: a"),
        ("it has 10: pass classes=", "it has 10: pass --class-names"),
        ("pass logits_of=", "pass logits_of="),  # this command has no such option
        ("--mean=a, mean=0.5 and mean='x'", "--mean=a, mean=0.5 and mean='x'"),
    ],
)
def test_a_parameter_is_named_as_the_option_that_the_command_has(message, line):
    assert said(message) == line
    assert in_options(message) == message  # outside of a command


def test_commands_name_their_options(original, digits, tmp_path):
    """Messages that the library has for Python, each as a command says it."""
    out = tmp_path / "out"
    ask = ("unlearn", "--dataset", digits, "--forget-class", "three", "--method", "su",
           "--output", out)  # fmt: skip
    bare = with_classes(original, tmp_path / "bare", None)
    (bare / "config.json").write_text('{"architecture": "resnet18"}')
    for more, option in (
        ((), "pass --num-classes"),
        (("--num-classes", 10), "pass --mean and --std"),
    ):
        said = suli(*ask, "--model", bare, *more, code=1).stderr.splitlines()[-1]
        assert option in said, said
    out.mkdir()
    said = suli(*ask, "--model", original, code=2).stderr.splitlines()[-1]
    assert "replace it with --force" in said
