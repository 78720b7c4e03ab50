"""What boards hold of a metric: which values are good, its unit, and how exactly others find it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from suli_plugin.unlearner import Scope

Direction = Literal["higher", "lower", "nearest"]
Level = Literal["rescore", "reload", "rerun"]
LEVELS: tuple[Level, ...] = get_args(Level)
# Float64 sums of the same logits.
EXACT = 1e-9
# The untrained network's logits are computed again, in float32 and maybe on another processor.
FLOAT32 = 1e-5
# Logits of a float32 network may differ by this part of the largest one in their row: GPUs
# multiply with ten bits of mantissa (TF32) by default.
LOGITS = 0.01


@dataclass(frozen=True)
class BoardMetric:
    """A metric of a board.

    direction: which values are good. ideal: the best there is; None with `nearest` is Retrain's.
    tolerance: by level, how much a value found again may differ; None where it is not found.
    """

    name: str
    direction: Direction
    ideal: float | None
    unit: str
    tolerance: Mapping[Level, float | None]

    @property
    def rounding(self) -> float:
        """What a value may differ by although the model is the same: one image on a border."""
        return self.tolerance["reload"] or 0.0

    @property
    def trained(self) -> bool:
        """Whether it takes training to find it, which differs from one processor to another."""
        return self.tolerance["rescore"] is None and self.tolerance["reload"] is not None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {**vars(self), "tolerance": dict(self.tolerance)}


@dataclass(frozen=True)
class _Kind:
    """scored_on: the set of which one sample is the grain. found: how a level finds it."""

    direction: Direction
    ideal: float | None = None
    unit: str = "fraction"
    scored_on: str = "forget"
    found: Literal["counted", "computed", "network", "fitted", "trained", "passes", "clock"] = (
        "counted"
    )


# In how many tests with power a model is like Retrain, and how many have power.
AUDIT_COUNTS = ("audit_like", "audit_with_power")
_RETRAIN = _Kind("nearest")
_KINDS: dict[str, _Kind] = {
    "forget_accuracy": _RETRAIN,
    "retain_accuracy": _Kind("higher", 1, scored_on="retain"),
    "test_accuracy": _Kind("higher", 1, scored_on="test"),
    "reference_accuracy": _Kind("nearest", scored_on="reference"),
    "mia_accuracy": _Kind("nearest", 0.5, found="fitted"),
    "mia_auc": _Kind("nearest", 0.5, found="fitted"),
    "mia_deviation": _Kind("lower", 0, found="fitted"),
    "unlearning_accuracy": _RETRAIN,
    "mia_efficacy": _Kind("nearest", found="fitted"),
    "entropy_membership": _Kind("nearest", found="fitted"),
    "activation_distance": _Kind("lower", 0, "L2", found="computed"),
    "js_divergence": _Kind("lower", 0, "bits", found="computed"),
    "average_gap": _Kind("lower", 0, found="fitted"),
    "tow": _Kind("higher", 1, found="computed"),
    "zrf": _Kind("nearest", found="network"),
    "relearn_updates": _Kind("nearest", unit="updates", found="trained"),
    "relearn_reached": _Kind("nearest", found="trained"),
    "anamnesis_index": _Kind("nearest", 1, "", found="trained"),
    **dict.fromkeys(AUDIT_COUNTS, _Kind("higher", unit="tests", found="fitted")),
    "forward_passes": _Kind("lower", 0, "samples", found="passes"),
    "backward_passes": _Kind("lower", 0, "samples", found="passes"),
    "update_seconds": _Kind("lower", 0, "s", found="clock"),
    "total_seconds": _Kind("lower", 0, "s", found="clock"),
}
_CLASS_WISE: dict[str, _Kind] = {
    "forget_accuracy": _Kind("lower", 0),
    # It mixes forgotten and retained classes.
    "test_accuracy": _Kind("nearest", scored_on="test"),
    "test_retain_accuracy": _Kind("higher", 1, scored_on="test"),
    "test_forget_accuracy": _Kind("lower", 0),
    "unlearning_accuracy": _Kind("higher", 1),
    "linear_probe_forget_accuracy": _Kind("nearest", found="trained"),
    "linear_probe_retain_accuracy": _Kind("higher", 1, scored_on="test", found="trained"),
}
# What says how far a model is from Retrain, if that had the original's recipe.
TO_RETRAIN = frozenset(
    {"activation_distance", "js_divergence", "average_gap", "tow", "anamnesis_index"}
)
# Undefined for some models, so that a record may lack them.
OPTIONAL = TO_RETRAIN | {
    "relearn_updates", "relearn_reached", "linear_probe_forget_accuracy",
    "linear_probe_retain_accuracy", *AUDIT_COUNTS,
}  # fmt: skip


def board_metrics(scope: Scope, smallest: Mapping[str, int]) -> tuple[BoardMetric, ...]:
    """The metrics of a scope with the tolerances that need no measurement.

    smallest: images in the smallest scored set of each name over the board's scenarios; the
    grain of an accuracy is one of them, of a relearn time one update, of an audit one test.
    """
    kinds = {**_KINDS, **(_CLASS_WISE if scope == "class-wise" else {})}
    grains = {
        name: 1.0 if kind.unit in ("updates", "tests") else 1 / smallest[kind.scored_on]
        for name, kind in kinds.items()
    }
    return tuple(
        BoardMetric(name, kind.direction, kind.ideal, kind.unit, _tolerance(kind, grains[name]))
        for name, kind in kinds.items()
    )


def _tolerance(kind: _Kind, grain: float) -> dict[Level, float | None]:
    """What rounding explains. One image on a border may fall to the other side of it."""
    by_logits: dict[Level, float | None] = {"rescore": EXACT, "reload": grain, "rerun": grain}
    return {
        "counted": by_logits,
        "computed": by_logits,
        "network": {**by_logits, "rescore": FLOAT32},
        "fitted": {**by_logits, "rescore": grain},
        "trained": {**by_logits, "rescore": None},
        "passes": {"rescore": None, "reload": None, "rerun": 0.0},
        "clock": dict.fromkeys(LEVELS),
    }[kind.found]  # type: ignore[return-value]  # the values' types are not joined


def score_values(record: Mapping[str, Any]) -> dict[str, float]:
    """A record's values by the names of the board's metrics: scores, passes and seconds."""
    return {
        **record["metrics"],
        "forward_passes": float(sum(record["passes"]["forward"].values())),
        "backward_passes": float(sum(record["passes"]["backward"].values())),
        "update_seconds": float(record["seconds"]["update"]),
        "total_seconds": float(record["seconds"]["total"]),
    }
