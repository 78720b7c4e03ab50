"""`suli splits`: make, show and push forget/retain splits. Imports torch inside the commands."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from benchmark_adapters.command_line.one_line_errors import one_line_errors
from benchmark_adapters.splits.ids_command import ids
from suli_plugin.cli import as_json
from suli_plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from benchmark_adapters.images.base_data import BaseData
    from benchmark_adapters.splits.recipes import Recipe, Reference


@hookimpl
def register_commands(cli: click.Group) -> None:
    """The group `splits`."""
    cli.add_command(splits)


@click.group()
def splits() -> None:
    """Make, show and push forget/retain splits of image datasets."""


@splits.command("make")
@click.argument("source")
@click.option("--name", required=True, help="The split's name; a folder and a config get it.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder of splits.")
@click.option(
    "--forget-class", "classes", multiple=True, metavar="NAME|#N",
    help="Forget a class, by name or (in quotes) '#3' by its place among the names.",
)  # fmt: skip
@click.option("--forget-number", type=int, metavar="N", help="Forget N random samples.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of --forget-number.")
@click.option("--stratified", is_flag=True, help="Draw from each class in its proportion.")
@click.option(
    "--forget-ids", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE",
    help="One id, path or row a line (suli splits ids); - reads standard input.",
)  # fmt: skip
@click.option(
    "--forget-where", "conditions", multiple=True, metavar="COLUMN=VALUE",
    help="Forget the samples with this value in a column.",
)  # fmt: skip
@click.option("--reference", "fraction", type=float, metavar="FRACTION", help="Hold some out.")
@click.option(
    "--reference-from", type=click.Choice(["test", "train"]), default="test", show_default=True,
    help="train: only for an original that was trained without it.",
)  # fmt: skip
@click.option("--reference-seed", type=int, default=0, show_default=True)
@click.option("--config", help="The base's config, where it has several.")
@click.option("--train-split", default="train", show_default=True)
@click.option("--test-split", default="test", show_default=True, help="none: leave it out.")
@click.option("--image-column", help="Where it can't be told from names and types.")
@click.option("--label-column", help="The same for labels.")
@click.option("--id-column", help="Unique names of samples (default: paths, or SPLIT-ROW).")
@click.option("--force", is_flag=True, help="Replace a split of that name.")
@as_json
def make(source: str, name: str, output: Path, as_json: bool, force: bool, **options: Any) -> None:
    """Split SOURCE, org/name[@revision] or a folder, and write it to OUTPUT/NAME.

    \b
    suli splits make uoft-cs/cifar10 --name class-1 --forget-class automobile --output splits
    suli splits make photos --name request-7 --forget-ids ids.txt --reference 0.01 --output splits
    """
    with one_line_errors():
        from benchmark_adapters.splits.split import make_split
        from benchmark_adapters.splits.stored import check_name, save_split

        check_name(name)
        if (output / name).exists() and not force:
            raise ValueError(f"{output / name} is there already; choose another name, or --force")
        reference = _reference(options)
        _check_one_recipe(options)
        train, test = _bases(source, options)
        for note in dict.fromkeys((*train.notes, *(test.notes if test else ()))):
            click.echo(f"note: {note}", err=True)
        split = make_split(name, _recipe(options, train), train, test, reference=reference)
        path = save_split(split, output, force=force)
    _print(split.describe(), as_json, {"path": str(path)})


splits.add_command(ids)


@splits.command("show")
@click.argument("source")
@click.argument("name", required=False)
@click.option("--verify", is_flag=True, help="Load the base and check every hash.")
@click.option("--base", help="Where the base's data are, if not where the split says.")
@as_json
def show(source: str, name: str | None, verify: bool, base: str | None, as_json: bool) -> None:
    """Show the split NAME in SOURCE, a folder or org/name[@revision]; NAME if there are several.

    \b
    suli splits show splits class-1 --verify
    suli splits show org/cifar10-splits@main class-1 --json
    """
    with one_line_errors():
        from benchmark_adapters.splits.stored import read_split
        from benchmark_adapters.splits.verified import load_split

        if base is not None and not verify:
            raise click.UsageError("--base is for --verify")
        stored = read_split(source, name)
        described = dict(stored.described)
        if verify:
            described = load_split(source, stored.name, base=base).describe()
    more = {"revision": stored.revision, "verified": verify}
    _print(described, as_json, more)


@splits.command("push")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("repository")
@click.option("--name", help="Which split, if the folder has several.")
@click.option("--base", help="Where the base's data are, if not where the split says.")
@click.option("--private", is_flag=True, help="Make the repository private, if it is new.")
@click.option("--create-pr", is_flag=True, help="Open a pull request instead of committing.")
@click.option("--force", is_flag=True, help="Replace another split of that name.")
@as_json
def push(
    folder: Path,
    repository: str,
    name: str | None,
    base: str | None,
    private: bool,
    create_pr: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Check the split in FOLDER and push it to the dataset REPOSITORY, org/name.

    The token is the one you are logged in with, or HF_TOKEN.

    \b
    suli splits push splits org/cifar10-splits --name class-1
    """
    with one_line_errors():
        from benchmark_adapters.splits.push import push_split
        from benchmark_adapters.splits.verified import load_split

        split = load_split(folder, name, base=base)
        pushed = push_split(split, repository, private=private, create_pr=create_pr, force=force)
    if as_json:
        click.echo(json.dumps({**asdict(pushed), "sha256": split.sha256}, indent=1))
        return
    state = "pushed" if pushed.changed else "there already"
    click.echo(f"{state}: {pushed.name} in {pushed.repository}@{pushed.revision}")
    click.echo(f"    {pushed.pull_request or pushed.url}")


def _bases(source: str, options: dict[str, Any]) -> tuple[BaseData, BaseData | None]:
    from benchmark_adapters.images.base_data import load_base

    columns = {name: options[name] for name in ("image_column", "label_column", "id_column")}
    train = load_base(source, config=options["config"], split=options["train_split"], **columns)
    wanted = options["test_split"]
    chosen = click.get_current_context().get_parameter_source("test_split")
    default = chosen is click.core.ParameterSource.DEFAULT
    if wanted == "none" or (default and wanted not in train.splits):
        return train, None
    # The commit that the first look resolved, not the branch, which may have moved since.
    return train, load_base(train.pinned, config=train.config, split=wanted, **columns)


def _check_one_recipe(options: dict[str, Any]) -> None:
    chosen = [options[name] for name in ("classes", "forget_number", "forget_ids", "conditions")]
    if sum(value not in (None, ()) for value in chosen) != 1:
        raise ValueError(
            "say what to forget, in one way: --forget-class, --forget-number, --forget-ids or "
            "--forget-where"
        )


def _recipe(options: dict[str, Any], train: BaseData) -> Recipe:
    from benchmark_adapters.images.ids_file import read_ids
    from benchmark_adapters.images.sample_names import rows_named, rows_where
    from benchmark_adapters.splits.recipes import ClassWise, InstanceWise, Listed

    if options["classes"]:
        return ClassWise(classes=tuple(train.label_of(name) for name in options["classes"]))
    if options["forget_ids"] is not None:
        rows = rows_named(train, read_ids(options["forget_ids"]))
        return Listed(ids=tuple(train.ids[row] for row in rows))
    if options["conditions"]:
        rows, where = rows_where(train, options["conditions"]), tuple(options["conditions"])
        return Listed(ids=tuple(train.ids[row] for row in rows), where=where)
    return InstanceWise(
        n=options["forget_number"], seed=options["seed"], stratified=options["stratified"]
    )


def _reference(options: dict[str, Any]) -> Reference | None:
    from benchmark_adapters.splits.recipes import Reference

    if options["fraction"] is None:
        return None
    drawn_from: Literal["train", "test"] = options["reference_from"]
    return Reference(
        fraction=options["fraction"], drawn_from=drawn_from, seed=options["reference_seed"]
    )


def _print(described: dict[str, Any], as_json: bool, more: dict[str, Any]) -> None:
    if as_json:
        click.echo(json.dumps({**described, **more}, indent=1))
        return
    base, recipe = described["base"], dict(described["recipe"])
    place = f"{base['repository']}@{base['revision']}" if "repository" in base else base["folder"]
    details = ", ".join(f"{key} {value}" for key, value in recipe.items() if key != "kind")
    click.echo(f"{described['name']}: {recipe['kind']}, {details}")
    click.echo(f"    base      {place}")
    for part, of in described["parts"].items():
        click.echo(f"    {part:12}{of['count']:>8} samples  sha256 {of['sha256'][:16]}")
    click.echo(f"    all           sha256 {described['sha256']}")
    _print_duplicates(described)
    for name, value in more.items():
        if value:
            click.echo(f"    {name:10}{'yes' if value is True else value}")


def _print_duplicates(described: dict[str, Any]) -> None:
    found = described["duplicates"]
    for part in dict.fromkeys(duplicate["part"] for duplicate in found):
        copies = [duplicate for duplicate in found if duplicate["part"] == part]
        first = copies[0]
        click.echo(
            f"    warning: {len(copies)} images of {part} are exact copies of forgotten ones "
            f"({first['id']} of {first['forgotten']}{', ...' if len(copies) > 1 else ''}); "
            f"forgetting one copy is not forgetting"
        )
