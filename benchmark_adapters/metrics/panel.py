"""The whole panel of metrics of a model on a case, from one pass over each set."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from accelerate import Accelerator
from torch import nn

from benchmark_adapters.metrics.accuracy import accuracies
from benchmark_adapters.metrics.activation_distance import activation_distance
from benchmark_adapters.metrics.average_gap import SalunScores, average_gap
from benchmark_adapters.metrics.js_divergence import js_divergence
from benchmark_adapters.metrics.linear_probe import linear_probe
from benchmark_adapters.metrics.mia_efficacy import entropy_membership
from benchmark_adapters.metrics.probabilities import probabilities
from benchmark_adapters.metrics.relearn_time import RelearnTime, anamnesis_index, relearn_time
from benchmark_adapters.metrics.salun_scores import accuracies_of, salun_scores, unseen_of_retain
from benchmark_adapters.metrics.scoring import loss_attack, of_classes
from benchmark_adapters.metrics.tow import tow
from benchmark_adapters.metrics.zrf import zrf
from suli_plugin.benchmark import Case
from suli_plugin.evaluation import Predictions, evaluate
from suli_plugin.images import ImageSet
from suli_plugin.randomness import seeded

ANAMNESIS = "anamnesis_index"


@dataclass(frozen=True)
class Observed:
    """One model's predictions of the scored sets of a case, one pass each."""

    forget: Predictions
    retain: Predictions
    test: Predictions
    reference: Predictions


@dataclass(frozen=True)
class Retrained:
    """What the retrained model shows; relearn is None where relearning is left out.

    hash: of its weights, which a record names as what it was compared with.
    """

    seen: Observed
    relearn: RelearnTime | None
    hash: str
    _scores: dict[tuple[Sequence[int], int], SalunScores] = field(
        default_factory=dict, repr=False, compare=False
    )

    def salun(self, classes: tuple[int, ...], seed: int) -> SalunScores:
        """Its scores, which all models of a case are compared with, found once."""
        if (classes, seed) not in self._scores:
            self._scores[classes, seed] = _salun(self.seen, classes, seed)
        return self._scores[classes, seed]


@dataclass(frozen=True)
class Yardstick:
    """What every model of one case and seed is compared with, measured once.

    untrained: a fixed random network's predictions of the forget set. original_accuracy: the
    original's on the images that relearning watches. retrained: None where there is no such model.
    """

    seed: int
    relearn_updates: int
    untrained: Predictions
    original_accuracy: float
    retrained: Retrained | None = None


def yardstick(
    case: Case, accelerator: Accelerator, *, seed: int, relearn_updates: int = 100
) -> Yardstick:
    """Measure what `panel` compares the models of this case with; Retrain may be added to it.

    seed: of every draw in the panel. relearn_updates: mini-batches at most; 0 leaves it out.
    """
    with seeded(seed, accelerator.device):
        fresh = case.fresh_model().to(accelerator.device)
        untrained = evaluate(fresh, case.forget, accelerator, channels_last=True)
    original = copy.deepcopy(case.original).to(accelerator.device)
    watched = evaluate(original, _watched(case), accelerator, channels_last=True)
    return Yardstick(seed, relearn_updates, untrained, watched.accuracy())


def observe(model: nn.Module, case: Case, accelerator: Accelerator) -> Observed:
    """One float32 pass over each scored set; features are kept but those of the reference set.

    Channels last in memory, which is faster on a CPU and rounds in another order.
    """

    def predict(images: ImageSet, *, features: bool = True) -> Predictions:
        return evaluate(model, images, accelerator, features=features, channels_last=True)

    return Observed(
        predict(case.forget),
        predict(case.scored_retain),
        predict(case.test),
        predict(case.reference, features=False),
    )


def panel(
    model: nn.Module, seen: Observed, case: Case, accelerator: Accelerator, against: Yardstick
) -> dict[str, float]:
    """Every metric of a model: those of its logits, of its features, and of relearning.

    seen: what `observe` found with it. To those of `logit_panel` are added, with relearning,
    `relearn_updates` (mini-batches of the forget set; `relearn_reached` is 0 if they
    ran out) and `anamnesis_index` (left out where it is undefined); class-wise `linear_probe_*`.
    """
    return {
        **logit_panel(seen, case.forget_classes, against),
        **_probe(seen, case.forget_classes, against.seed),
        **relearning(_relearn(model, case, accelerator, against), against.retrained),
    }


def logit_panel(seen: Observed, classes: Sequence[int], against: Yardstick) -> dict[str, float]:
    """Those of the panel's metrics that the logits alone decide, so that others can check them.

    classes: the forgotten ones; empty for instance-wise.
    """
    untrained = probabilities(against.untrained.logits)
    salun = _salun(seen, classes, against.seed)
    return {
        **_logit_metrics(seen, classes, against.seed, salun),
        **_compared(seen, classes, against, salun),
        "zrf": zrf(probabilities(seen.forget.logits), untrained),
    }


def _logit_metrics(
    seen: Observed, classes: Sequence[int], seed: int, salun: SalunScores
) -> dict[str, float]:
    """The metrics of one model's logits alone, fractions in [0, 1]."""
    attack = loss_attack(seen.forget, seen.test, classes, seed=seed)
    unseen = unseen_of_retain(seen.test, classes)
    entropies = (p.entropies() for p in (seen.forget, seen.retain, unseen))
    return {
        **accuracies(seen.forget, seen.retain, seen.test, classes),
        "mia_accuracy": attack.accuracy,
        "mia_auc": attack.auc,
        "mia_deviation": attack.deviation,
        "reference_accuracy": seen.reference.accuracy(),
        "unlearning_accuracy": salun.unlearning_accuracy,
        "mia_efficacy": salun.mia_efficacy,
        "entropy_membership": entropy_membership(*entropies),
    }


def _compared(
    seen: Observed, classes: Sequence[int], against: Yardstick, salun: SalunScores
) -> dict[str, float]:
    """The metrics of two models' logits: distances to Retrain on the forget set, and gaps.

    `activation_distance` is L2, at most sqrt 2; `js_divergence` is in base 2. None without Retrain.
    """
    if against.retrained is None:
        return {}
    retrained = against.retrained.seen
    ours, theirs = probabilities(seen.forget.logits), probabilities(retrained.forget.logits)
    gold = salun if retrained is seen else against.retrained.salun(tuple(classes), against.seed)
    return {
        "activation_distance": activation_distance(ours, theirs, norm="l2"),
        "js_divergence": js_divergence(ours, theirs, base=2),
        "average_gap": average_gap(salun, gold),
        "tow": tow(accuracies_of(salun), accuracies_of(gold)),
    }


def relearned(metrics: Mapping[str, float]) -> RelearnTime | None:
    """The relearn time that a panel's metrics hold, None where it was left out."""
    if "relearn_updates" not in metrics:
        return None
    return RelearnTime(int(metrics["relearn_updates"]), bool(metrics["relearn_reached"]))


def relearning(time: RelearnTime | None, retrained: Retrained | None) -> dict[str, float]:
    """The panel's metrics of a relearn time; the index only where Retrain relearns, too."""
    if time is None:
        return {}
    scores = {"relearn_updates": float(time.updates), "relearn_reached": float(time.reached)}
    base = retrained.relearn if retrained is not None else None
    if base is not None and base.reached and time.reached and base.updates > 0:
        scores[ANAMNESIS] = anamnesis_index(time, base)
    return scores


def _salun(seen: Observed, classes: Sequence[int], seed: int) -> SalunScores:
    return salun_scores(seen.forget, seen.retain, seen.test, classes, seed=seed)


def _probe(seen: Observed, classes: Sequence[int], seed: int) -> dict[str, float]:
    forget, retain, test = seen.forget.features, seen.retain.features, seen.test.features
    if not classes or forget is None or retain is None or test is None:
        return {}
    found = linear_probe(
        torch.cat([forget, retain]),
        torch.cat([seen.forget.labels, seen.retain.labels]),
        test,
        seen.test.labels,
        classes,
        seed=seed,
    )
    return {
        "linear_probe_forget_accuracy": found.forget_accuracy,
        "linear_probe_retain_accuracy": found.retain_accuracy,
    }


def _watched(case: Case) -> ImageSet:
    """What relearning is measured on: test images of the forgotten classes, or the forget set."""
    if not case.forget_classes:
        return case.forget
    return case.test.subset(torch.where(of_classes(case.test.labels, case.forget_classes))[0])


def _relearn(
    model: nn.Module, case: Case, accelerator: Accelerator, against: Yardstick
) -> RelearnTime | None:
    if against.relearn_updates == 0:
        return None
    return relearn_time(
        model,
        case.forget,
        _watched(case),
        against.original_accuracy,
        accelerator,
        max_updates=against.relearn_updates,
        seed=against.seed,
    )
