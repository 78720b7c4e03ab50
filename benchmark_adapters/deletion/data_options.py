"""The options of commands about a deletion request's data and its original."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _together(*options: Decorator) -> Decorator:
    """One decorator that adds them in this order."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def dataset(*, required: bool) -> Decorator:
    """The option `--dataset`."""
    return click.option(
        "--dataset", required=required, metavar="SOURCE",
        help="org/name[@rev], a folder, or a stored split; SOURCE:NAME if it is one of several.",
    )  # fmt: skip


forget_options = _together(
    click.option(
        "--forget-class",
        "classes",
        multiple=True,
        metavar="NAME|#N",
        help="Forget a class, by name or (in quotes) '#3' by its place among the names.",
    ),
    click.option(
        "--forget-ids",
        type=click.Path(path_type=Path, allow_dash=True),
        metavar="FILE",
        help="Forget these samples, one a line: a value of --id-column, a photo's path or unique "
        "name, or SPLIT-ROW (suli splits ids); - reads standard input.",
    ),
    click.option(
        "--forget-where",
        "conditions",
        multiple=True,
        metavar="COLUMN=VALUE",
        help="Forget the samples with this value in a column, such as one person's.",
    ),
)
set_options = _together(
    click.option(
        "--retain", metavar="SPLIT", help="What is kept; of the training split, the rest."
    ),
    click.option("--test", metavar="SPLIT", help="Images never trained on, for measuring alone."),
    click.option("--reference", metavar="SPLIT", help="Never trained on; decides when to stop."),
)
image_options = _together(
    click.option(
        "--image-size",
        type=click.IntRange(1),
        metavar="N",
        help="Resize images to NxN, and crop them, if the original's files say so.",
    ),
    click.option(
        "--train-split", default="train", show_default=True, help="Holds what is forgotten."
    ),
    click.option("--config", help="The dataset's config, where it has several."),
    click.option("--image-column", help="Where it can't be told from names and types."),
    click.option("--label-column", help="The same for labels."),
    click.option("--id-column", help="Unique names of samples (default: paths, or SPLIT-ROW)."),
)
facts_options = _together(
    click.option("--architecture", help="Of the original, where its files don't say it."),
    click.option(
        "--num-classes",
        type=click.IntRange(1),
        metavar="N",
        help="Outputs of the original, likewise.",
    ),
    click.option(
        "--class-names",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Names of its outputs, one a line in their order, where no file of it has them.",
    ),
    click.option(
        "--mean", metavar="LIST", help="The original's, per channel, of pixels in [0, 1]."
    ),
    click.option("--std", metavar="LIST", help="The same for the deviation."),
)
