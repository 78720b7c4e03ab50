"""Judge the models of a case: every test's values, its power, and its verdict of each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmark_adapters.audit.audit_test import Against, AuditTest
from benchmark_adapters.audit.case_audit import (
    LIKE,
    NO_POWER,
    NO_RETRAINS,
    OVER,
    UNDER,
    CaseAudit,
    TestResult,
    Verdict,
)
from benchmark_adapters.audit.catalogue import tests_of
from benchmark_adapters.audit.impostor import impostors
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.spread import limit, spread_of
from benchmark_adapters.metrics.klom import LEAST_MODELS
from suli_plugin.request import Scope

ORIGINAL, HELD_OUT = "original", "retrain_held_out"


@dataclass(frozen=True)
class Judged:
    """What there is to judge. retrains: of the original's recipe, in a fixed order. models: by
    label, `original` among them, and `retrain_held_out` and the controls where there are such.
    """

    retrains: Sequence[Observation]
    models: Mapping[str, Observation]
    controls: frozenset[str]
    classes: tuple[int, ...]
    seed: int = 0

    @property
    def scope(self) -> Scope:
        """Of the case."""
        return "class-wise" if self.classes else "instance-wise"

    def role(self, label: str) -> str:
        """What a model is there for."""
        if label in self.controls:
            return "control"
        return {ORIGINAL: "original", HELD_OUT: "held out"}.get(label, "method")

    def against(self, left_out: int | None = None) -> Against:
        """What a model is compared with; left_out: the Retrain that is asked itself."""
        others = [each for at, each in enumerate(self.retrains) if at != left_out]
        return Against(self.models[ORIGINAL], others, self.classes, self.seed)


def judge(case: Judged, *, hashes: Mapping[str, str] | None = None) -> CaseAudit:
    """The audit of a case. hashes: of the models' weights, to be named in it.

    A model is like Retrain in a test if its value is within `limit` deviations of the Retrains'
    mean. A test has power if the held-out Retrain passes it, and the original and every control
    that it is meant to catch differ. Without two Retrains of the original's recipe no test decides.
    """
    results = [_result(test, case) for test in tests_of(case.scope)]
    asked = [result for result in results if any(v is not None for v in result.values.values())]
    return CaseAudit(
        case.scope,
        case.classes,
        case.seed,
        tuple(asked),
        {label: case.role(label) for label in case.models},
        limit(len(case.retrains)) if len(case.retrains) >= 2 else None,
        dict(hashes or {}),
        impostors(results, case.controls),
        _not_tested([result for result in results if result not in asked], case),
    )


def _not_tested(missing: Sequence[TestResult], case: Judged) -> dict[str, str]:
    reasons = {each.title: "the sets, or the model's layers, do not allow it" for each in missing}
    if len(case.retrains) < 2:
        reasons |= {
            test.title: "there are no Retrains of the original's recipe"
            for test in tests_of(case.scope)
            if test.needs_retrains
        }
    return {**reasons, "KLOM": f"it needs {LEAST_MODELS} models of each kind, one is judged"}


def _result(test: AuditTest, case: Judged) -> TestResult:
    result = TestResult(test.name, test.title, test.kind, test.meaning, test.scale, {})
    if test.needs_retrains and len(case.retrains) < 2:
        return result
    against = case.against()
    values = {label: test.value(seen, against) for label, seen in case.models.items()}
    own = [test.value(seen, case.against(at)) for at, seen in enumerate(case.retrains)]
    result = replace(result, values=values)
    samples = test.samples(case.models[ORIGINAL], against) if test.samples is not None else 0
    spread = spread_of(own, test.scale, samples)
    if spread is None:
        return replace(result, no_power=NO_RETRAINS, verdicts=_all(values, NO_RETRAINS))
    result = replace(
        result,
        retrains=spread.values,
        samples=samples,
        mean=spread.mean,
        deviation=spread.deviation,
        distances={
            label: spread.distance(value) for label, value in values.items() if value is not None
        },
    )
    verdicts = _verdicts(test, case, result.distances)
    reason = _why_no_power(test, verdicts)
    return replace(result, no_power=reason, verdicts=_all(values, NO_POWER) if reason else verdicts)


def _all(values: Mapping[str, float | None], verdict: Verdict) -> dict[str, Verdict]:
    return {label: verdict for label, value in values.items() if value is not None}


def _verdicts(test: AuditTest, case: Judged, distances: Mapping[str, float]) -> dict[str, Verdict]:
    far = limit(len(case.retrains))
    return {
        label: LIKE if abs(distance) <= far else _side(test, case, label, distance)
        for label, distance in distances.items()
    }


def _side(test: AuditTest, case: Judged, label: str, distance: float) -> Verdict:
    """Nearer to the original than the Retrains are, or beyond them."""
    if test.to_original is None:
        return UNDER if distance > 0 else OVER
    against = case.against()
    own = test.to_original(case.models[label], against)
    retrains = [test.to_original(each, against) for each in case.retrains]
    return UNDER if own < sum(retrains) / len(retrains) else OVER


def _why_no_power(test: AuditTest, verdicts: Mapping[str, Verdict]) -> str:
    """Empty if the test has power."""
    if HELD_OUT not in verdicts:
        return "there is no held-out Retrain"
    if verdicts[HELD_OUT] != LIKE:
        return "the held-out Retrain differs from the others"
    missed = [name for name in test.catches if verdicts.get(name, UNDER) == LIKE]
    return f"it does not tell {', '.join(missed)} from Retrain" if missed else ""
