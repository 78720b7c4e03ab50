"""Zero retrain forgetting: is the unlearned model as clueless as an untrained one?"""

from __future__ import annotations

from benchmark_adapters.metrics.js_divergence import js_divergence
from benchmark_adapters.metrics.probabilities import Array


def zrf(unlearned: Array, untrained: Array, *, base: float = 2.0) -> float:
    """One minus the mean JS divergence to a randomly initialised model on the forget set.

    unlearned, untrained: probabilities (N, K) of the forget set; `untrained` is one fixed
    network in evaluation mode, the same for all methods. 1: as random as that network; 0 (base
    2): nothing in common. Compare with Retrain's, which is the ideal; higher is not better by
    itself. Chundawat et al., Can Bad Teaching Induce Forgetting, AAAI 2023, whose text has the
    Jensen-Shannon divergence that is computed here and names no base. Their code computes
    something else, half of KL(m || p) + KL(m || q), divided by the number of classes as well.
    """
    return 1.0 - js_divergence(unlearned, untrained, base=base)
