"""`suli splits ids`: the samples of a split as `--forget-ids` takes them."""

from __future__ import annotations

from typing import Any

import click

from benchmark_adapters.command_line.one_line_errors import one_line_errors


@click.command("ids")
@click.argument("source")
@click.option("--split", default="train", show_default=True)
@click.option("--class", "classes", multiple=True, metavar="NAME|#N", help="Of this class alone.")
@click.option(
    "--where", "conditions", multiple=True, metavar="COLUMN=VALUE",
    help="With this value in a column alone.",
)  # fmt: skip
@click.option("--config", help="The dataset's config, where it has several.")
@click.option("--image-column", help="Where it can't be told from names and types.")
@click.option("--label-column", help="The same for labels.")
@click.option("--id-column", help="Unique names of samples (default: paths, or SPLIT-ROW).")
def ids(source: str, classes: tuple[str, ...], conditions: tuple[str, ...], **options: Any) -> None:
    """List the samples of SOURCE, org/name[@revision] or a folder, one id a line.

    Each has the SHA-256 of its image, which is checked when --forget-ids reads the list: where
    ids are rows, they come to mean other images once samples are added or removed.

    \b
    suli splits ids photos --where person=Ann > ids.txt
    """
    with one_line_errors():
        import torch

        from benchmark_adapters.images.base_data import load_base
        from benchmark_adapters.images.sample_names import contents_at, line_of, rows_where

        base = load_base(source, **options)
        rows = rows_where(base, conditions) if conditions else list(range(len(base)))
        if classes:
            labels = torch.tensor([base.label_of(name) for name in classes])
            among = torch.isin(base.labels, labels).tolist()
            rows = [row for row in rows if among[row]]
        for row, content in zip(rows, contents_at(base, rows), strict=True):
            click.echo(line_of(base, row, content))
