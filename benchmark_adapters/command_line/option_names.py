"""Messages name parameters, as Python has them; on the command line they name its options."""

from __future__ import annotations

import re

import click

# Parameters that have an option of another name.
_CALLED = {"size": "image_size", "classes": "class_names"}
# `size=` with nothing behind it: advice, and no value that came.
_PARAMETER = re.compile(r"(?<![\w-])([a-z][a-z0-9_]*)=(?=[\s,;.:)]|$)")


def in_options(line: str) -> str:
    """The line with each `parameter=` as the running command's option, where it has one."""
    context = click.get_current_context(silent=True)
    if context is None:
        return line
    options = {
        option.name: max(option.opts, key=len)
        for option in context.command.params
        if isinstance(option, click.Option)
    }

    def option(found: re.Match[str]) -> str:
        return options.get(_CALLED.get(found[1], found[1]), found[0])

    # Where a message has both names, they have become one.
    return re.sub(r"(--[\w-]+) \(\1\)", r"\1", _PARAMETER.sub(option, line))
