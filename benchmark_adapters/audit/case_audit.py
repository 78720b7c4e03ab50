"""`CaseAudit`: what an audit found of all models of one case, JSON-able."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from benchmark_adapters.audit.spread import Scale

Verdict = Literal[
    "like Retrain",
    "differs: under-forgotten",
    "differs: over-forgotten",
    "no power",
    "no Retrains",
    "not tested",
]
LIKE: Verdict = "like Retrain"
UNDER: Verdict = "differs: under-forgotten"
OVER: Verdict = "differs: over-forgotten"
NO_POWER: Verdict = "no power"
NO_RETRAINS: Verdict = "no Retrains"
NOT_TESTED: Verdict = "not tested"
FORMAT = "suli-audit/1"


@dataclass(frozen=True)
class TestResult:
    """One test of all models. Values are None where a model does not have one.

    values, distances, verdicts: by the model's label; distances are in the Retrains' deviations
    (on the test's scale). retrains: the k Retrains' values, with mean and deviation, None without
    Retrains. no_power: why the test decides nothing in this case, empty if it has power. samples:
    see `Spread`.
    """

    # Its name is no test's for pytest.
    __test__: ClassVar[bool] = False

    name: str
    title: str
    kind: str
    meaning: str
    scale: Scale
    values: Mapping[str, float | None]
    retrains: tuple[float, ...] = ()
    mean: float | None = None
    deviation: float | None = None
    no_power: str = ""
    distances: Mapping[str, float] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    samples: int = 0

    @property
    def has_power(self) -> bool:
        """Whether its verdicts decide anything."""
        return not self.no_power

    @property
    def asks_of_forgetting(self) -> bool:
        """Whether it decides what was forgotten; a test of the cost decides whether it was dear."""
        return self.has_power and self.kind != "cost"


@dataclass(frozen=True)
class CaseAudit:
    """The audit of a case: its tests, and for each model what they come to.

    classes: the forgotten ones, empty for instance-wise. limit: the distance, in deviations, from
    which a model differs; None without Retrains. roles: by label, `original`, `retrain` (the
    yardstick's), `held out`, `control` or `method`. hashes: of the weights, by label. impostors:
    by label, the sentence on a model that can't be told from the original or a control but for
    what a cheat changes. not_tested: what was not asked, each with the reason.
    """

    scope: str
    classes: tuple[int, ...]
    seed: int
    tests: tuple[TestResult, ...]
    roles: Mapping[str, str]
    limit: float | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    impostors: Mapping[str, str] = field(default_factory=dict)
    not_tested: Mapping[str, str] = field(default_factory=dict)

    def verdicts(self, label: str) -> dict[str, Verdict]:
        """Of one model, by the test's name; the audit's verdict is this list."""
        return {test.name: test.verdicts.get(label, NOT_TESTED) for test in self.tests}

    def measured(self, label: str, names: Iterable[str]) -> dict[str, float]:
        """What these tests measured of a model, in their order; none that has no value of it."""
        values = {test.name: test.values.get(label) for test in self.tests}
        return {name: value for name in names if (value := values.get(name)) is not None}

    def counted(self, label: str) -> tuple[int, int]:
        """How many tests with power say that the model is like Retrain, and how many have power."""
        decided = [
            test.verdicts[label]
            for test in self.tests
            if test.asks_of_forgetting and label in test.verdicts
        ]
        return decided.count(LIKE), len(decided)

    def headline(self, label: str) -> str:
        """One line on a model."""
        like, of = self.counted(label)
        if not of:
            return "no test has power here: cannot tell"
        return f"{like} of {of} tests with power say: like Retrain"

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, with each model's headline for who reads the file."""
        values = asdict(self)
        headlines = {
            label: self.headline(label) for label, role in self.roles.items() if role != "retrain"
        }
        return {"format": FORMAT, **values, "headlines": headlines}

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> CaseAudit:
        """The audit in a dictionary that `as_dict` gave. Raises ValueError for another format."""
        if given.get("format") != FORMAT:
            raise ValueError(f"expected an audit of format {FORMAT!r}, got {given.get('format')!r}")
        values = {name: given[name] for name in cls.__dataclass_fields__}
        tests = tuple(
            TestResult(**{**test, "retrains": tuple(test["retrains"])}) for test in given["tests"]
        )
        return cls(**{**values, "classes": tuple(given["classes"]), "tests": tests})
