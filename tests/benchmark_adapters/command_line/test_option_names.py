"""A message on the command line names options, not parameters of Python."""

import click
import pytest
from click.testing import CliRunner

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
        ("Pass image_column=; its columns: a", "Pass --image-column; its columns: a"),
        ("it has 10: pass classes=", "it has 10: pass --class-names"),
        ("pass logits_of=", "pass logits_of="),  # this command has no such option
        ("--mean=a, mean=0.5 and mean='x'", "--mean=a, mean=0.5 and mean='x'"),
    ],
)
def test_a_parameter_is_named_as_the_option_that_the_command_has(message, line):
    assert said(message) == line
    assert in_options(message) == message  # outside of a command
