"""`suli unlearn`. Imports torch inside the command."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark_adapters.command_line.command_accelerator import command_accelerator
from benchmark_adapters.command_line.one_line_errors import one_line_errors
from benchmark_adapters.deletion.publish_command import create_pr, print_published, private
from suli_plugin.cli import as_json
from suli_plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from accelerate import Accelerator

    from benchmark_adapters.deletion.options import DataOptions
    from benchmark_adapters.deletion.publish import Published
    from benchmark_adapters.deletion.request import DeletionRequest
    from suli_plugin.training import HistoryEntry, Progress


@hookimpl
def register_commands(cli: click.Group) -> None:
    """The command `unlearn`."""
    cli.add_command(unlearn)


@click.command()
@click.option(
    "--model", required=True, metavar="SOURCE", help="The original: org/name[@rev] or a folder."
)
@click.option(
    "--dataset", required=True, metavar="SOURCE",
    help="org/name[@rev], a folder, or a stored split; SOURCE:NAME if it is one of several.",
)  # fmt: skip
@click.option("--forget-class", "classes", multiple=True, metavar="NAME|N", help="Forget a class.")
@click.option(
    "--forget-ids", type=click.Path(path_type=Path), metavar="FILE",
    help="Forget these samples, one id a line (SPLIT-ROW, or a value of --id-column).",
)  # fmt: skip
@click.option(
    "--method", required=True, metavar="LABEL", help="METHOD or METHOD@PRESET (suli methods)."
)
@click.option(
    "--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Set a hyper-parameter."
)
@click.option("--retain", metavar="SPLIT", help="What is kept; of the training split, the rest.")
@click.option("--test", metavar="SPLIT", help="Images never trained on, for measuring alone.")
@click.option("--reference", metavar="SPLIT", help="Never trained on; decides when to stop.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("unlearned"), show_default=True,
    help="Folder for the unlearned checkpoint.",
)  # fmt: skip
@click.option("--push", "repository", metavar="ORG/NAME", help="Publish it in this repository.")
@create_pr
@private
@click.option("--force", is_flag=True, help="Replace a checkpoint, here and with --push.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--mixed-precision", type=click.Choice(["no", "bf16", "fp16"]), default="no", show_default=True
)
@click.option("--image-size", type=click.IntRange(1), metavar="N", help="Resize images to NxN.")
@click.option("--train-split", default="train", show_default=True, help="Holds what is forgotten.")
@click.option("--config", help="The dataset's config, where it has several.")
@click.option("--image-column", help="Where it can't be told from names and types.")
@click.option("--label-column", help="The same for labels.")
@click.option("--id-column", help="Unique names of samples (default: SPLIT-ROW).")
@click.option("--architecture", help="Of the original, where its files don't say it.")
@click.option(
    "--num-classes", type=click.IntRange(1), metavar="N", help="Outputs of the original, likewise."
)
@click.option("--mean", metavar="LIST", help="The original's, per channel, of pixels in [0, 1].")
@click.option("--std", metavar="LIST", help="The same for the deviation.")
@as_json
def unlearn(**options: Any) -> None:
    """Make an original forget a class or listed samples; write a checkpoint and its receipt.

    A method gets the data that it declares and no other: SULI the forget data alone. With
    --retain or --test, what was kept is measured before and after.

    \b
    suli unlearn --model org/resnet20 --dataset uoft-cs/cifar10 --forget-class automobile \\
                 --method suli@official --test test --output resnet20-without-automobile
    suli unlearn --model original --dataset photos --forget-ids ids.txt --method suli \\
                 --reference validation --push org/name --create-pr

    The summary line and progress go to standard error. Exit codes: 0 done, 1 something failed
    and is named, 2 wrong usage.
    """
    with one_line_errors():
        _check_options(options)
        accelerator = command_accelerator(options["mixed_precision"])
        request, data = _request(options, accelerator)
    if accelerator.is_main_process:
        click.echo(request.announcement, err=True)
        _warn_of_copies(request)
    with one_line_errors(failed=True):
        with _bar(shown=accelerator.is_main_process) as progress:
            outcome = request.fulfil(accelerator, progress)
        if not accelerator.is_main_process:
            return
        from benchmark_adapters.deletion.unlearned_checkpoint import write_unlearned

        facts = write_unlearned(
            options["output"],
            request,
            outcome,
            data,
            given=_given(options),
            place=options["repository"],
            force=options["force"],
        )
    pushed = _pushed(options)
    _report(facts, options, pushed)


def _check_options(options: dict[str, Any]) -> None:
    """What can be known to be wrong before anything is read."""
    from benchmark_adapters.deletion.publish import check_repository
    from benchmark_adapters.originals.checkpoints import check_target
    from suli_plugin.plugins import registry

    check_target(options["output"], force=options["force"])
    if options["repository"] is not None:
        check_repository(options["repository"])
    elif options["create_pr"] or options["private"]:
        raise ValueError("--create-pr and --private are for --push org/name")
    if options["classes"] and options["forget_ids"]:
        raise ValueError("say what to forget, in one way: --forget-class or --forget-ids")
    cls = registry().unlearner(options["method"].partition("@")[0], "class-wise")
    for scope in cls.needs:
        # Names, fields and values; which scope it is may only be known from the data.
        registry().unlearner(options["method"], scope, _settings(options["changes"]))


def _request(
    options: dict[str, Any], accelerator: Accelerator
) -> tuple[DeletionRequest, DataOptions]:
    """The request, with original and data loaded, and what was said about the data."""
    from benchmark_adapters.command_line.main_process import main_first
    from benchmark_adapters.deletion.data import load_deletion_data
    from benchmark_adapters.deletion.request import make_request
    from benchmark_adapters.originals.load import load_original
    from suli_plugin.plugins import registry

    data_options, given = _data_options(options), _given(options)
    with one_line_errors(failed=True):
        original = main_first(accelerator, lambda on_main: load_original(options["model"], **given))
    data = load_deletion_data(
        data_options, mean=original.config.mean, std=original.config.std, accelerator=accelerator
    )
    request = make_request(
        original,
        data,
        options["method"],
        _settings(options["changes"]),
        registry(),
        seed=options["seed"],
    )
    return request, data_options


def _data_options(options: dict[str, Any]) -> DataOptions:
    from benchmark_adapters.deletion.options import DataOptions
    from benchmark_adapters.splits.command import read_ids

    ids = () if options["forget_ids"] is None else tuple(read_ids(options["forget_ids"]))
    same = (
        *("dataset", "train_split", "retain", "reference", "test", "config"),
        *("image_column", "label_column", "id_column", "image_size"),
    )
    return DataOptions(
        forget_classes=tuple(options["classes"]),
        forget_ids=ids,
        **{name: options[name] for name in same},
    )


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """What was said about the original that its files do not say."""
    found = {name: options[name] for name in ("architecture", "num_classes")}
    for name in ("mean", "std"):
        found[name] = None if options[name] is None else _numbers(f"--{name}", options[name])
    return {name: value for name, value in found.items() if value is not None}


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} takes numbers such as 0.49,0.48,0.45, got {text!r}") from None


def _settings(changes: Sequence[str]) -> dict[str, Any]:
    from benchmark_adapters.grid.options import json_or_text

    settings = {}
    for change in changes:
        field, equals, value = change.partition("=")
        if not (field and equals):
            raise ValueError(f"--set takes FIELD=VALUE, got {change!r}")
        settings[field] = json_or_text(value)
    return settings


@contextmanager
def _bar(*, shown: bool) -> Iterator[Progress]:
    """Rounds done, with loss and forget accuracy; nothing where nobody watches."""
    from tqdm import tqdm

    with tqdm(unit="round", disable=not (shown and sys.stderr.isatty())) as bar:

        def progress(entry: HistoryEntry) -> None:
            loss = "" if entry.loss is None else f"loss {entry.loss:.4f}"
            known = entry.forget_accuracy is not None
            bar.set_postfix_str(f"{loss} forget {entry.forget_accuracy:.4f}" if known else loss)
            bar.update()

        yield progress


def _warn_of_copies(request: DeletionRequest) -> None:
    copies = request.data.copies
    if copies:
        click.echo(
            f"warning: {len(copies)} other samples are exact copies of forgotten images "
            f"({copies[0].id} of {copies[0].forgotten}, for one); forgetting one copy is not "
            f"forgetting",
            err=True,
        )


def _pushed(options: dict[str, Any]) -> Published | None:
    if options["repository"] is None:
        return None
    from benchmark_adapters.deletion.publish import publish as push

    names = ("private", "create_pr", "force")
    with one_line_errors(failed=True):
        try:
            return push(
                options["output"], options["repository"], **{name: options[name] for name in names}
            )
        except (ValueError, OSError) as error:
            again = " --create-pr" * options["create_pr"] + " --private" * options["private"]
            raise ValueError(
                f"{error} (the checkpoint is whole in {options['output']}; publish it later with "
                f"`suli publish {options['output']} {options['repository']}{again}`)"
            ) from error


def _report(facts: dict[str, Any], options: dict[str, Any], pushed: Published | None) -> None:
    if options["as_json"]:
        published = None if pushed is None else asdict(pushed)
        click.echo(
            json.dumps(
                {"output": str(options["output"]), "published": published, "receipt": facts},
                indent=1,
            )
        )
        return
    record, before = facts["record"], facts["original_metrics"]
    click.echo(f"{'':24} {'original':>9} {'unlearned':>9}")
    for name, value in record["metrics"].items():
        click.echo(f"{name.replace('_', ' '):24} {before[name]:9.4f} {value:9.4f}")
    seconds = record["seconds"]
    click.echo(
        f"stopped because: {record['stop_reason']}; {seconds['total']:.1f} s, "
        f"{seconds['update']:.1f} s of it in updates"
    )
    click.echo(f"written to {options['output']}, with its receipt (suli receipt verify)")
    if pushed is not None:
        print_published(pushed)
