"""`suli unlearn`. Imports torch inside the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark_adapters.command_line.command_accelerator import command_accelerator, compile_option
from benchmark_adapters.command_line.one_line_errors import one_line_errors
from benchmark_adapters.deletion.data_options import (
    dataset,
    facts_options,
    forget_options,
    image_options,
    set_options,
)
from benchmark_adapters.deletion.judgement import AT_MOST
from benchmark_adapters.deletion.progress import round_progress
from benchmark_adapters.deletion.publish_command import create_pr, private, sign, sign_identity
from benchmark_adapters.deletion.unlearn_options import check_options, given_of, request_of
from benchmark_adapters.deletion.unlearn_report import (
    announce,
    end,
    pushed_of,
    report,
    told_of,
    warn_of_harm,
)
from suli_plugin.cli import as_json
from suli_plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from benchmark_adapters.deletion.options import DataOptions
    from benchmark_adapters.deletion.request import DeletionRequest, Fulfilled


@hookimpl
def register_commands(cli: click.Group) -> None:
    """The command `unlearn`."""
    cli.add_command(unlearn)


@click.command()
@click.option(
    "--model", required=True, metavar="SOURCE", help="The original: org/name[@rev] or a folder."
)
@dataset(required=True)
@forget_options
@click.option(
    "--requests", type=click.Path(path_type=Path), metavar="FILE",
    help="Several requests, one after the other: CSV (or a folder of it) with the titles "
    "request,date,class or request,date,id.",
)  # fmt: skip
@click.option(
    "--method", required=True, metavar="LABEL", help="METHOD or METHOD@PRESET (suli methods)."
)
@click.option(
    "--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Set a hyper-parameter."
)
@set_options
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("unlearned"), show_default=True,
    help="Folder for the unlearned checkpoint.",
)  # fmt: skip
@click.option(
    "--at-most", type=click.FloatRange(0, 1), default=AT_MOST, show_default=True,
    metavar="FRACTION",
    help="Accepted forget accuracy, of --test images too; by ids, how far above that of unseen "
    "data (reference or test).",
)  # fmt: skip
@click.option("--push", "repository", metavar="ORG/NAME", help="Publish it in this repository.")
@create_pr
@private
@sign
@sign_identity
@click.option(
    "--allow-unchanged", is_flag=True,
    help="Write a checkpoint even if no weight of the original was changed.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a checkpoint, here and with --push.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--mixed-precision", type=click.Choice(["no", "bf16", "fp16"]), default="no", show_default=True
)
@compile_option
@image_options
@facts_options
@as_json
def unlearn(**options: Any) -> None:
    """Make an original forget a class or listed samples; write a checkpoint and its receipt.

    A method gets the data that it declares and no other: SULI the forget data alone. With
    --retain or --test, what was kept is measured before and after. The original is scored first:
    data that it knows by chance alone are refused, and so is an outcome in which no weight changed.

    --requests fulfils several requests in the order of their dates, each from the outcome of the
    one before, and writes one checkpoint with one receipt of all. A run that was killed goes on
    behind the last request that was done, in as many processes as before. Several processes
    (torchrun, accelerate launch) do each request together; the main one reads and writes. The
    receipt names the requests as the file does: give them numbers, no people's names.

    \b
    suli unlearn --model org/resnet20 --dataset uoft-cs/cifar10 --forget-class automobile \\
                 --method suli@official --test test --output resnet20-without-automobile
    suli unlearn --model original --dataset photos --forget-ids ids.txt --method suli \\
                 --reference validation --push org/name --create-pr
    suli unlearn --model original --dataset photos --requests requests.csv --method suli

    The outcome is judged: the last line and the model card say how far it came. If more is
    recognised than --at-most, or what was forgotten earlier is recognised again (samples by id:
    more than unseen data), the checkpoint is written, is not called one without it and not
    published, and the exit code is 1.
    A control is not judged, and neither are ids without --reference or --test.

    An original that an earlier request made forget something does not get it back: no target
    teaches it, it is kept out of retain, reference and test data, and it is measured again.

    The summary line and progress go to standard error. Exit codes: 0 done, 1 something failed
    and is named or the outcome is not accepted, 2 wrong usage.
    """
    with one_line_errors():
        check_options(options)
        from benchmark_adapters.deletion.signature import signing_with

        signed = signing_with(options["sign"], identity=options["sign_identity"])
        accelerator = command_accelerator(options["mixed_precision"], compiled=options["compiled"])
        request, data = request_of(options, accelerator)
    if accelerator.is_main_process:
        announce(request)
    told = told_of(options, shown=accelerator.is_main_process)
    with one_line_errors(failed=True):
        with round_progress(shown=accelerator.is_main_process) as progress:
            outcome = request.fulfil(
                accelerator, progress, allow_unchanged=options["allow_unchanged"], told=told
            )
        if not accelerator.is_main_process:
            return
        facts = _written(options, request, outcome, data, signed)
        told.kept.remove()
    warn_of_harm(facts)
    pushed = pushed_of(options, facts)
    report(facts, options, pushed)
    end(facts, options)


def _written(
    options: dict[str, Any],
    request: DeletionRequest,
    outcome: Fulfilled,
    data: DataOptions,
    sign: Callable[[Path], None],
) -> dict[str, Any]:
    from benchmark_adapters.deletion.unlearned_checkpoint import write_unlearned

    return write_unlearned(
        options["output"],
        request,
        outcome,
        data,
        given=given_of(options),
        place=options["repository"],
        sign=sign,
        force=options["force"],
    )
