"""How far a value is from several Retrains', in deviations that they have among themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Literal

Scale = Literal["log-odds", "plain"]
# What is judged by another rule is judged again: 2 counts on half a sample at least.
RULE = 2
# A true Retrain is called different in one test of a hundred.
LEVEL = 0.01
# Fractions at 0 or 1 have no log-odds: half a sample of a hundred.
MARGIN = 0.005
# Retrains that agree to the last digit would make any difference infinite.
LEAST_DEVIATION: Mapping[Scale, float] = {"plain": 0.01, "log-odds": 0.05}


@dataclass(frozen=True)
class Spread:
    """The values of k Retrains; scale: on which deviations are counted.

    A fraction's deviation shrinks towards 0 and 1, so fractions are compared as log-odds.
    samples: of how many images the values are shares, 0 if they are none. Retrains that all find
    none of 512 say little of how many the next one finds: what is counted is half a sample at best.
    """

    values: tuple[float, ...]
    scale: Scale = "log-odds"
    samples: int = 0

    @property
    def mean(self) -> float:
        """Of the values as they are."""
        return mean(self.values)

    @property
    def deviation(self) -> float:
        """Standard deviation of the values as they are (n - 1)."""
        return stdev(self.values)

    def distance(self, value: float) -> float:
        """Of a value from the mean, in deviations, on the scale; positive above it."""
        scaled = [self._scaled(each) for each in self.values]
        deviation = max(stdev(scaled), LEAST_DEVIATION[self.scale], self._half_a_sample())
        return (self._scaled(value) - mean(scaled)) / deviation

    def _half_a_sample(self) -> float:
        """More than the mean, or less where the mean is above a half."""
        if not self.samples:
            return 0.0
        step = math.copysign(0.5 / self.samples, 0.5 - self.mean)
        return abs(self._scaled(self.mean + step) - self._scaled(self.mean))

    def _scaled(self, value: float) -> float:
        if self.scale == "plain":
            return value
        return math.log((value + MARGIN) / (1 - value + MARGIN))


def limit(retrains: int, level: float = LEVEL) -> float:
    """The distance, in deviations of so many Retrains, that one more Retrain rarely exceeds.

    Student's prediction interval for one more draw from a normal distribution, two-sided:
    t(1 - level/2, k - 1) sqrt(1 + 1/k), that is 5.04 for five Retrains. Raises ValueError for
    fewer than two.
    """
    from scipy.stats import t

    if retrains < 2:
        raise ValueError(f"a spread needs two Retrains at least, got {retrains}")
    return float(t.ppf(1 - level / 2, retrains - 1)) * math.sqrt(1 + 1 / retrains)


def spread_of(values: Sequence[float | None], scale: Scale, samples: int = 0) -> Spread | None:
    """The `Spread` of the Retrains' values, None unless each of two at least has one."""
    known = tuple(value for value in values if value is not None)
    return Spread(known, scale, samples) if len(known) == len(values) >= 2 else None
