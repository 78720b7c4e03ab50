"""Level `rerun` of a receipt: the recorded method run again from the recorded original."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.deletion.check import Check, differences, unknown
from benchmark_adapters.deletion.request import DeletionRequest
from benchmark_adapters.deletion.score_checks import compared
from benchmark_adapters.records.provenance import hardware, versions
from suli_plugin.compiled import check_compiler, compiled_by, made_accelerator
from suli_plugin.divergence import Diverged

# How far the scores of a run elsewhere may be from the record's: the most that any method's
# differ by on the boards of the ResNet-20, three deviations of a difference between two runs.
# Nobody has measured the noise of the other metrics: where those differ, nothing follows. Those of
# the loss attack were measured with one draw; averaged over twenty, as it is, it differs by less.
NOISE = {
    "forget_accuracy": 0.170,
    "retain_accuracy": 0.059,
    "test_accuracy": 0.072,
    "test_forget_accuracy": 0.151,
    "test_retain_accuracy": 0.071,
    "mia_accuracy": 0.129,
    "mia_auc": 0.162,
}
# What no run decides: when, by what command, how long and on what.
_OF_THE_DAY = ("seconds", "command", "created", "git_commit", "hardware", "versions")
_OF_THE_PLACE = (
    "original.source", "original.commit", "original.weights_file", "plugin.version",
)  # fmt: skip
# What another processor or version may decide otherwise.
_OF_THE_MACHINE = ("unlearned_hash", "history", "passes", "stop_reason", "notes", "metrics",
                   "device", "processes", "cell")  # fmt: skip


def accelerator_of(record: Mapping[str, Any]) -> Accelerator:
    """The record's precision and compiler, on the CPU if it was run there; else what there is."""
    try:
        return made_accelerator(
            record["precision"], record.get("compiled", "no"), cpu=record["device"] == "cpu"
        )
    except ValueError:
        # A precision or compiler that this machine or process does not have.
        return Accelerator()


def rerun_checks(
    receipt: Mapping[str, Any], request: DeletionRequest, accelerator: Accelerator
) -> list[Check]:
    """Run the method again: the very weights and record here, scores within NOISE elsewhere.

    Elsewhere is where processor, threads or a version differ from the record's, and any GPU.
    accelerator: in the record's precision; see `accelerator_of`.
    """
    record, what = receipt["record"], "weights run again"
    if accelerator.mixed_precision != record["precision"]:
        return [unknown(what, f"it was run in the precision {record['precision']}")]
    if compiled_by(accelerator) != record.get("compiled"):
        how = record.get("compiled", "nothing")
        return [unknown(what, f"its forward passes were compiled by {how}")]
    try:
        if compiled_by(accelerator) is not None:
            check_compiler(accelerator)
        outcome = request.fulfil(accelerator, allow_unchanged=True)
    except (Diverged, RuntimeError, ValueError) as error:
        return [unknown(what, str(error))]
    elsewhere = _elsewhere(record, accelerator)
    same = outcome.record["unlearned_hash"] == record["unlearned_hash"]
    weights = Check(what, "matches", "bit by bit")
    if not same:
        weights = _scores(what, record, outcome.record, elsewhere)
    loose = () if same or not elsewhere else _OF_THE_MACHINE
    skip = _OF_THE_DAY + _OF_THE_PLACE + loose
    told = {key: value for key, value in record.items() if key in outcome.record}
    found = list(differences(told, outcome.record, skip=skip))
    again = Check("record of the run", "matches", "as it comes when the method is run again")
    again = Check(again.what, "differs", "; ".join(found)) if found else again
    return [weights, again, *_after_each(receipt, outcome.after_each, bool(elsewhere))]


def _after_each(
    receipt: Mapping[str, Any], found: list[dict[str, Any]], elsewhere: bool
) -> list[Check]:
    """Whether every one of several requests comes to what it came to; here bit by bit."""
    what = "after each request"
    if not found:
        return []
    if elsewhere:
        return [unknown(what, "bits may differ here, so that nothing follows")]
    told = dict(enumerate(receipt["after_each"], 1))
    again = {f"{at}": each for at, each in enumerate(found, 1)}
    skip = {f"{at}.seconds" for at in again}
    wrong = list(differences({f"{at}": each for at, each in told.items()}, again, skip=skip))
    if wrong:
        return [Check(what, "differs", "; ".join(wrong))]
    return [Check(what, "matches", f"all {len(found)}, bit by bit")]


def _scores(
    what: str, record: Mapping[str, Any], again: Mapping[str, Any], elsewhere: list[str]
) -> Check:
    """What other weights than the record's mean."""
    if not elsewhere:
        return Check(what, "differs", "the same processor and versions make other weights")
    check = compared(what, *_parts(record, again, measured=True), NOISE)
    others = compared(what, *_parts(record, again, measured=False))
    if check.state == "matches" and others.state == "differs":
        check = unknown(what, f"no board has measured by how much these may: {others.detail}")
    detail = f"{check.detail} (bits may differ by: {', '.join(elsewhere)})"
    return Check(what, check.state, detail)


def _parts(
    *records: Mapping[str, Any], measured: bool
) -> tuple[dict[str, float], dict[str, float]]:
    """The metrics of two records that NOISE has, or that it has not."""
    one, other = (
        {name: value for name, value in each["metrics"].items() if (name in NOISE) == measured}
        for each in records
    )
    return one, other


def _elsewhere(record: Mapping[str, Any], accelerator: Accelerator) -> list[str]:
    """In what this machine and run differ from the record's; where they do, bits may."""
    if accelerator.device.type != "cpu":
        # Its kernels add up in an order of their own.
        return ["the accelerator's sums"]
    here = {"hardware": hardware(), "processes": accelerator.num_processes, **versions()}
    told = {
        "hardware": record["hardware"], "processes": record["processes"], **record["versions"],
    }  # fmt: skip
    return [name for name, value in here.items() if told[name] != value]
