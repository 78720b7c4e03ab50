"""How a metric is written on a leaderboard: its title, its scale and its decimals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from leaderboards.rendering.rows import AUDIT, GAP, Spread


@dataclass(frozen=True)
class ShownMetric:
    """A metric's title and unit, the factor before it is written, and the decimals.

    cost: time or passes, in which a control that does nothing wins without saying anything.
    """

    title: str
    unit: str = ""
    scale: float = 1.0
    decimals: int = 3
    cost: bool = False


def _percent(title: str) -> ShownMetric:
    return ShownMetric(title, "%", 100, 1)


_SHOWN = {
    "retain_accuracy": _percent("Retain"),
    "forget_accuracy": _percent("Forget"),
    "test_accuracy": _percent("Test"),
    "test_retain_accuracy": _percent("Test-retain"),
    "test_forget_accuracy": _percent("Test-forget"),
    "reference_accuracy": _percent("Reference"),
    GAP: _percent("Gap to Retrain"),
    AUDIT: ShownMetric("Audit: like Retrain"),
    "mia_accuracy": ShownMetric("MIA accuracy"),
    "mia_auc": ShownMetric("MIA AUC"),
    "mia_deviation": ShownMetric("MIA deviation"),
    "mia_efficacy": ShownMetric("MIA efficacy (SalUn)"),
    "entropy_membership": ShownMetric("Membership by entropy"),
    "unlearning_accuracy": _percent("Unlearning accuracy (SalUn)"),
    "average_gap": _percent("Average gap (SalUn)"),
    "activation_distance": ShownMetric("Activation distance to Retrain"),
    "js_divergence": ShownMetric("JS divergence to Retrain"),
    "tow": ShownMetric("ToW"),
    "zrf": ShownMetric("ZRF"),
    "linear_probe_forget_accuracy": _percent("Probe-forget"),
    "linear_probe_retain_accuracy": _percent("Probe-retain"),
    "relearn_updates": ShownMetric("Relearn updates (forget set)", decimals=1),
    "relearn_reached": _percent("Relearned within the limit"),
    "anamnesis_index": ShownMetric("Anamnesis index"),
    "audit_like": ShownMetric("Audit: tests like Retrain, a case", decimals=1),
    "audit_with_power": ShownMetric("Audit: tests with power, a case", decimals=1),
    "update_seconds": ShownMetric("Update time", "s", decimals=2, cost=True),
    "total_seconds": ShownMetric("Total time", "s", decimals=2, cost=True),
    "forward_passes": ShownMetric("Forward passes", decimals=0, cost=True),
    "backward_passes": ShownMetric("Backward passes", decimals=0, cost=True),
}
# The columns of a board; the other metrics are in each row's details. Passes and not seconds:
# entries come from other machines, and a level of verification can find passes again.
COLUMNS = {
    "class-wise": ("retain_accuracy", "forget_accuracy", "test_retain_accuracy",
                   "test_forget_accuracy", AUDIT, "linear_probe_forget_accuracy",
                   "relearn_updates", "mia_accuracy", GAP, "forward_passes", "backward_passes"),
    "instance-wise": ("retain_accuracy", "forget_accuracy", "test_accuracy", AUDIT, "mia_accuracy",
                      GAP, "forward_passes", "backward_passes"),
}  # fmt: skip


def shown_metric(name: str) -> ShownMetric:
    """How to write a metric; one that is not known here keeps its own name."""
    return _SHOWN.get(name, ShownMetric(name.replace("_", " ")))


def in_order(names: Iterable[str]) -> list[str]:
    """Metrics as they are listed here, those that are not known here last."""
    known = list(_SHOWN)
    return sorted(set(names), key=lambda name: (known.index(name) if name in _SHOWN else 99, name))


def shown_spread(spread: Spread | None, metric: ShownMetric) -> str:
    """Mean ± standard deviation in the metric's unit; a dash where there is nothing.

    `> 100` where a value is only known to be above that.
    """
    if spread is None:
        return "–"
    if spread.above is not None:
        return f"> {spread.above * metric.scale:g}"
    mean = f"{spread.mean * metric.scale:.{metric.decimals}f}"
    if spread.std is None:
        return mean
    return f"{mean} ± {spread.std * metric.scale:.{metric.decimals}f}"
