"""What the command line of `suli unlearn` says: checked, and made a request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_adapters.command_line.one_line_errors import one_line_errors

if TYPE_CHECKING:
    from accelerate import Accelerator

    from benchmark_adapters.deletion.forgotten_before import ForgottenBefore
    from benchmark_adapters.deletion.options import DataOptions
    from benchmark_adapters.deletion.request import DeletionRequest
    from benchmark_adapters.deletion.requests_file import ListedRequest
    from benchmark_adapters.originals.load import LoadedOriginal


def check_options(options: dict[str, Any]) -> None:
    """What can be known to be wrong before anything is read."""
    from benchmark_adapters.deletion.publish import check_repository
    from suli_plugin.plugins import registry

    if not 0 <= options["at_most"] <= 1:
        # Not a number, which is in any range of click's.
        raise ValueError(f"--at-most takes a fraction from 0 to 1, got {options['at_most']}")
    _check_output(options["output"], options["model"], force=options["force"])
    if options["repository"] is not None:
        check_repository(options["repository"])
    elif options["create_pr"] or options["private"]:
        raise ValueError("--create-pr and --private are for --push org/name")
    ways = ("classes", "forget_ids", "conditions", "requests")
    if sum(bool(options[name]) for name in ways) > 1:
        raise ValueError(
            "say what to forget, in one way: --forget-class, --forget-ids, --forget-where or "
            "--requests"
        )
    cls = registry().unlearner(options["method"].partition("@")[0], "class-wise")
    for scope in cls.needs:
        # Names, fields and values; which scope it is may only be known from the data.
        registry().unlearner(options["method"], scope, settings_of(options["changes"]))


def _check_output(output: Path, model: str, *, force: bool) -> None:
    from benchmark_adapters.originals.whole_folder import check_target, check_writable

    check_target(output, force=force)
    original = Path(model).expanduser()
    if original.exists() and output.exists() and original.samefile(output):
        raise ValueError(
            f"--output {output} is the original itself (--model), without which nothing can be "
            f"verified or done again; choose another folder"
        )
    check_writable(output)


def request_of(
    options: dict[str, Any], accelerator: Accelerator
) -> tuple[DeletionRequest, DataOptions]:
    """The request, with original and data loaded, and what was said about the data.

    The main process reads the files of the command line: all processes forget what they said then.
    """
    from benchmark_adapters.command_line.main_process import from_main
    from benchmark_adapters.deletion.data import load_deletion_data
    from benchmark_adapters.deletion.request import make_request
    from suli_plugin.plugins import registry

    listed, data_options = from_main(accelerator, lambda: _asked_for(options))
    original, before = _original(options, accelerator)
    data = load_deletion_data(
        data_options,
        mean=original.config.mean,
        std=original.config.std,
        classes=original.config.classes,
        preprocessing=original.config.preprocessing,
        before=before,
        listed=listed,
        accelerator=accelerator,
    )
    request = make_request(
        original,
        data,
        options["method"],
        settings_of(options["changes"]),
        registry(),
        seed=options["seed"],
        at_most=options["at_most"],
    )
    return request, data_options


def _asked_for(options: dict[str, Any]) -> tuple[Sequence[ListedRequest], DataOptions]:
    listed = listed_requests(options)
    return listed, data_options_of(options, listed)


def _original(
    options: dict[str, Any], accelerator: Accelerator
) -> tuple[LoadedOriginal, ForgottenBefore]:
    """The original, of which an outcome has room on the disk, and what it forgot earlier."""
    from benchmark_adapters.command_line.main_process import main_first
    from benchmark_adapters.deletion.forgotten_before import forgotten_before
    from benchmark_adapters.originals.load import load_original
    from benchmark_adapters.originals.whole_folder import check_room

    given = given_of(options)
    with one_line_errors(failed=True):
        original = main_first(accelerator, lambda on_main: load_original(options["model"], **given))
        check_room(options["output"], original.model)
        return original, main_first(accelerator, lambda on_main: forgotten_before(original))


def listed_requests(options: dict[str, Any]) -> Sequence[ListedRequest]:
    """What `--requests` lists, which is read; nothing without it."""
    from benchmark_adapters.deletion.requests_file import read_requests

    return () if options["requests"] is None else read_requests(options["requests"])


def data_options_of(options: dict[str, Any], listed: Sequence[ListedRequest] = ()) -> DataOptions:
    """What the command line says about the data; reads the file of `--forget-ids`.

    listed: several requests, all of which are forgotten.
    """
    from benchmark_adapters.deletion.options import DataOptions
    from benchmark_adapters.images.ids_file import read_ids

    ids = () if options["forget_ids"] is None else tuple(read_ids(options["forget_ids"]))
    classes = tuple(options["classes"])
    for request in listed:
        classes, ids = classes + request.classes, ids + request.ids
    same = (
        *("dataset", "train_split", "retain", "reference", "test", "config"),
        *("image_column", "label_column", "id_column", "image_size"),
    )
    return DataOptions(
        forget_classes=classes,
        forget_ids=ids,
        forget_where=tuple(options["conditions"]),
        **{name: options[name] for name in same},
    )


def given_of(options: dict[str, Any]) -> dict[str, Any]:
    """What was said about the original that its files do not say."""
    found = {name: options[name] for name in ("architecture", "num_classes")}
    for name in ("mean", "std"):
        found[name] = None if options[name] is None else _numbers(f"--{name}", options[name])
    if options["class_names"] is not None:
        found["classes"] = _names(options["class_names"])
    return {name: value for name, value in found.items() if value is not None}


def _names(file: Path) -> list[str]:
    """The lines of a file that hold something. Raises ValueError."""
    from benchmark_adapters.images.ids_file import lines_of

    names = lines_of(file, "--class-names")
    twice = next((name for name in names if names.count(name) > 1), None)
    if not names or twice is not None:
        why = "holds no name" if not names else f"names {twice!r} twice"
        raise ValueError(f"--class-names {file} {why}; expected one name a line, by output")
    return names


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} takes numbers such as 0.49,0.48,0.45, got {text!r}") from None


def settings_of(changes: Sequence[str]) -> dict[str, Any]:
    """The hyper-parameters of `--set`. Raises ValueError for another form."""
    from benchmark_adapters.grid.options import json_or_text

    settings = {}
    for change in changes:
        field, equals, value = change.partition("=")
        if not (field and equals):
            raise ValueError(f"--set takes FIELD=VALUE, got {change!r}")
        settings[field] = json_or_text(value)
    return settings
