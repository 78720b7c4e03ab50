"""The audit's tests of what a model's weights give away, from the traits that were measured."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from statistics import mean

from benchmark_adapters.audit.audit_test import Against, AuditTest
from benchmark_adapters.audit.features import DRIFTED, SAME_FEATURES
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.share_sizes import drawn_forget_images
from benchmark_adapters.metrics.relearn_curve import CHECKPOINTS, RelearnCurve, area_between


def _area(name: str) -> Callable[[Observation, Against], float | None]:
    """Between the Retrains' mean curve (0) and the original's (1)."""

    def value(seen: Observation, against: Against) -> float | None:
        curves = [_curve(each, name) for each in (seen, against.original, *against.retrains)]
        known = [curve for curve in curves if curve is not None]
        if len(known) < len(curves):
            return None
        area = area_between(known[0], known[1], known[2:])
        return None if isnan(area) else area

    return value


def _curve(seen: Observation, name: str) -> RelearnCurve | None:
    heights = seen.traits.get(name)
    return RelearnCurve(CHECKPOINTS, heights) if heights else None


def _trait(name: str) -> Callable[[Observation, Against], float | None]:
    def value(seen: Observation, against: Against) -> float | None:
        return seen.traits[name][0] if name in seen.traits else None

    return value


def _information_difference(seen: Observation, against: Against) -> float | None:
    """IDI, signed as its authors print it: below 0 is less than Retrain knows."""
    bits = [each.traits.get("membership_bits") for each in (against.original, *against.retrains)]
    own = seen.traits.get("membership_bits")
    known = [value[0] for value in bits if value is not None]
    if own is None or len(known) < len(bits):
        return None
    floor = mean(known[1:])
    return (own[0] - floor) / (known[0] - floor) if known[0] > floor else None


TESTS = (
    AuditTest(
        "idi", "information difference", "features",
        "bits about forget or retain in settled features: 0 is Retrain, 1 nothing removed",
        _information_difference, ("class-wise",), (*SAME_FEATURES, *DRIFTED), scale="plain",
        needs_retrains=True,
    ),
    AuditTest(
        "few_shot", "relearning, five images", "weights",
        "how fast five images bring the class back: 0 as Retrain, 1 as the original",
        _area("few_shot"), ("class-wise", "instance-wise"), ("original", "bn_drift"),
        scale="plain", needs_retrains=True,
    ),
    AuditTest(
        "retain_only", "relearning, retained images", "weights",
        "what training on retained images alone brings back: 0 as Retrain, 1 as the original",
        _area("retain_only"), ("class-wise", "instance-wise"), ("original", "bn_drift"),
        scale="plain", needs_retrains=True,
    ),
    AuditTest(
        "int8", "forget accuracy, int8", "weights",
        "forget accuracy once weights are rounded to 8 bits, which may undo small changes",
        _trait("int8"), ("class-wise", "instance-wise"), ("original",), scale="plain",
        samples=drawn_forget_images,
    ),
    AuditTest(
        "int4", "forget accuracy, int4", "weights",
        "the same with 4 bits",
        _trait("int4"), ("class-wise", "instance-wise"), ("original",), scale="plain",
        samples=drawn_forget_images,
    ),
    AuditTest(
        "nearby", "residual knowledge", "weights",
        "how much is recognised in a ball of .03 around the forgotten images",
        _trait("nearby"), ("class-wise", "instance-wise"), ("original",), scale="plain",
    ),
)  # fmt: skip
