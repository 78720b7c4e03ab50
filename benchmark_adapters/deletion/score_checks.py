"""What the models of a receipt score on its data, beside what it claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark_adapters.deletion.check import Check, differences, unknown
from benchmark_adapters.deletion.data import DeletionData
from benchmark_adapters.deletion.in_turn import measured
from benchmark_adapters.deletion.measures import Answers, kept_classes, metrics_of

Receipt = Mapping[str, Any]
# Another processor may turn a prediction or two, and the attack's regression a little.
TOLERANCE = {"mia_accuracy": 0.02, "mia_auc": 0.02}
ACCURACY_TOLERANCE = 0.002


def metrics_check(
    what: str,
    answers: Answers | None,
    claimed: Mapping[str, float],
    data: DeletionData | None,
    receipt: Receipt,
) -> Check:
    """Whether a model scores on the data as the receipt claims. answers: the model's."""
    if answers is None or data is None:
        return unknown(what, "the model or the data could not be had, or differ")
    return compared(what, claimed, metrics_of(answers, data, seed=receipt["record"]["seed"]))


def kept_check(receipt: Receipt, before: Answers, after: Answers, data: DeletionData) -> Check:
    """Whether each class that was kept is answered as the receipt claims, before and after."""
    told = {f"{each['set']} {each['label']}": each for each in receipt["kept_classes"]}
    made = {f"{each.set} {each.label}": vars(each) for each in kept_classes(before, after, data)}
    rates = {f"{name}.{model}" for name in made for model in ("original", "unlearned")}
    wrong = list(differences(told, made, skip=rates))
    wrong += [
        f"{name} of the {model} model is {each[model]}, the receipt has {told[name][model]}"
        for name, each in made.items()
        for model in ("original", "unlearned")
        if name in told and not _close(told[name][model], each[model], ACCURACY_TOLERANCE)
    ]
    if wrong:
        return Check("kept classes", "differs", "; ".join(wrong))
    return Check("kept classes", "matches", f"{len(made)} of them, before and after")


def requests_check(receipt: Receipt, after: Answers, data: DeletionData) -> list[Check]:
    """Whether each of several requests is recognised in the end as much as the receipt claims."""
    if not receipt.get("requests"):
        return []
    told, made = receipt["after_each"][-1]["measured"], measured(after, data, len(data.steps))
    names = [name for name in made[0] if name.endswith("accuracy")]
    wrong = [
        f"{name} of request {one['request']} is {other[name]}, the receipt has {one[name]}"
        for one, other in zip(told, made, strict=True)
        for name in names
        if one[name] != other[name] and not _close(one[name], other[name], ACCURACY_TOLERANCE)
    ]
    if wrong:
        return [Check("requests", "differs", "; ".join(wrong))]
    return [Check("requests", "matches", f"{len(made)} of them, as they are in the end")]


def compared(
    what: str,
    claimed: Mapping[str, float],
    found: Mapping[str, float],
    tolerance: Mapping[str, float] = TOLERANCE,
) -> Check:
    """Whether claimed metrics are those that were found, within what hardware explains."""
    wrong = [
        f"{name} is {found.get(name, 'not measurable')}, the receipt has "
        f"{claimed.get(name, 'none')}"
        for name in sorted({*claimed, *found})
        if not _close(claimed.get(name), found.get(name), tolerance.get(name, ACCURACY_TOLERANCE))
    ]
    if wrong:
        return Check(what, "differs", "; ".join(wrong))
    return Check(what, "matches", ", ".join(f"{name} {value:.4f}" for name, value in found.items()))


def _close(claimed: float | None, found: float | None, tolerance: float) -> bool:
    return claimed is not None and found is not None and abs(claimed - found) <= tolerance
