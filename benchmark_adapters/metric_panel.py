"""The whole panel of metrics of a model on a case, from one pass over each set."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import nn

from benchmark_adapters.metrics.accuracy import accuracies, part
from benchmark_adapters.metrics.activation_distance import activation_distance
from benchmark_adapters.metrics.average_gap import SalunScores, average_gap, unlearning_accuracy
from benchmark_adapters.metrics.js_divergence import js_divergence
from benchmark_adapters.metrics.linear_probe import linear_probe
from benchmark_adapters.metrics.membership_inference import MembershipInference
from benchmark_adapters.metrics.mia_efficacy import entropy_membership, mia_efficacy
from benchmark_adapters.metrics.probabilities import probabilities, true_class_confidence
from benchmark_adapters.metrics.relearn_time import RelearnTime, anamnesis_index, relearn_time
from benchmark_adapters.metrics.tow import Accuracies, tow
from benchmark_adapters.metrics.zrf import zrf
from benchmark_adapters.scoring import loss_attack, of_classes
from suli_plugin.benchmark import Case
from suli_plugin.evaluation import Predictions, evaluate
from suli_plugin.images import ImageSet
from suli_plugin.randomness import seeded


@dataclass(frozen=True)
class Observed:
    """One model's predictions of the sets of a case, one pass each."""

    forget: Predictions
    retain: Predictions
    test: Predictions


@dataclass(frozen=True)
class RetrainedScores:
    """What the retrained model shows; relearn is None where relearning is left out."""

    forget: Predictions
    salun: SalunScores
    relearn: RelearnTime | None


@dataclass(frozen=True)
class Yardstick:
    """What every model of one case and seed is compared with, measured once.

    untrained: a fixed random network's predictions of the forget set. original_accuracy: the
    original's on the images that relearning watches. retrained: None without that model.
    """

    seed: int
    relearn_updates: int
    untrained: Predictions
    original_accuracy: float
    retrained: RetrainedScores | None


def yardstick(
    case: Case,
    accelerator: Accelerator,
    *,
    seed: int,
    retrained: nn.Module | None = None,
    relearn_updates: int = 100,
) -> Yardstick:
    """Measure what `panel` compares the models of this case with.

    retrained: trained without the forget set, on the accelerator's device, as the panel's models.
    seed: of every draw in the panel. relearn_updates: mini-batches at most; 0 leaves it out.
    """
    with seeded(seed, accelerator.device):
        untrained = evaluate(case.fresh_model().to(accelerator.device), case.forget, accelerator)
    watching = copy.deepcopy(case.original).to(accelerator.device)
    original = evaluate(watching, _watched(case), accelerator).accuracy()
    alone = Yardstick(seed, relearn_updates, untrained, original, None)
    if retrained is None:
        return alone
    seen = _observe(retrained, case, accelerator)
    relearn = _relearn(retrained, case, accelerator, alone)
    scores = RetrainedScores(seen.forget, _salun(seen, case, seed), relearn)
    return dataclasses.replace(alone, retrained=scores)


def panel(
    model: nn.Module, case: Case, accelerator: Accelerator, against: Yardstick
) -> dict[str, float]:
    """Every metric that needs this model and the yardstick alone: those of `score`, and more.

    All are fractions in [0, 1] but `activation_distance` (L2, at most sqrt 2), `relearn_updates`
    (mini-batches of the forget set; `relearn_reached` is 0 if they ran out) and
    `anamnesis_index` (left out where it is undefined). Class-wise, `linear_probe_*` are added;
    with a retrained model the distances to it on the forget set, `average_gap` and `tow`. JS
    divergence and ZRF are in base 2.
    """
    seen = _observe(model, case, accelerator, features=bool(case.forget_classes))
    attack = loss_attack(seen.forget, seen.test, case.forget_classes, seed=against.seed)
    salun = _salun(seen, case, against.seed)
    entropies = (p.entropies() for p in (seen.forget, seen.retain, _unseen_of_retain(seen, case)))
    return {
        **_scores(seen, case, attack),
        "mia_deviation": attack.deviation,
        "reference_accuracy": evaluate(model, case.reference, accelerator).accuracy(),
        "unlearning_accuracy": salun.unlearning_accuracy,
        "mia_efficacy": salun.mia_efficacy,
        "entropy_membership": entropy_membership(*entropies),
        "zrf": zrf(probabilities(seen.forget.logits), probabilities(against.untrained.logits)),
        **_probe(seen, case, against.seed),
        **_distances(seen, salun, against.retrained),
        **_relearning(_relearn(model, case, accelerator, against), against.retrained),
    }


def _observe(
    model: nn.Module, case: Case, accelerator: Accelerator, *, features: bool = False
) -> Observed:
    def predict(images: ImageSet) -> Predictions:
        return evaluate(model, images, accelerator, features=features)

    return Observed(predict(case.forget), predict(case.retain), predict(case.test))


def _scores(seen: Observed, case: Case, attack: MembershipInference) -> dict[str, float]:
    return {
        **accuracies(seen.forget, seen.retain, seen.test, case.forget_classes),
        "mia_accuracy": attack.accuracy,
        "mia_auc": attack.auc,
    }


def _salun(seen: Observed, case: Case, seed: int) -> SalunScores:
    unseen = _unseen_of_retain(seen, case)
    confidences = (
        true_class_confidence(p.logits, p.labels) for p in (seen.forget, seen.retain, unseen)
    )
    return SalunScores(
        unlearning_accuracy(seen.forget.accuracy()),
        seen.retain.accuracy(),
        unseen.accuracy(),
        mia_efficacy(*confidences, seed=seed),
    )


def _unseen_of_retain(seen: Observed, case: Case) -> Predictions:
    """Test images as the retain set has them: SalUn drops the forgotten classes."""
    return part(seen.test, ~of_classes(seen.test.labels, case.forget_classes))


def _probe(seen: Observed, case: Case, seed: int) -> dict[str, float]:
    forget, retain, test = seen.forget.features, seen.retain.features, seen.test.features
    if forget is None or retain is None or test is None:
        return {}
    found = linear_probe(
        torch.cat([forget, retain]),
        torch.cat([seen.forget.labels, seen.retain.labels]),
        test,
        seen.test.labels,
        case.forget_classes,
        seed=seed,
    )
    return {
        "linear_probe_forget_accuracy": found.forget_accuracy,
        "linear_probe_retain_accuracy": found.retain_accuracy,
    }


def _distances(
    seen: Observed, salun: SalunScores, retrained: RetrainedScores | None
) -> dict[str, float]:
    if retrained is None:
        return {}
    ours, theirs = probabilities(seen.forget.logits), probabilities(retrained.forget.logits)
    return {
        "activation_distance": activation_distance(ours, theirs, norm="l2"),
        "js_divergence": js_divergence(ours, theirs, base=2),
        "average_gap": average_gap(salun, retrained.salun),
        "tow": tow(_accuracies(salun), _accuracies(retrained.salun)),
    }


def _accuracies(salun: SalunScores) -> Accuracies:
    return Accuracies(1 - salun.unlearning_accuracy, salun.retain_accuracy, salun.test_accuracy)


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


def _relearning(time: RelearnTime | None, retrained: RetrainedScores | None) -> dict[str, float]:
    if time is None:
        return {}
    scores = {"relearn_updates": float(time.updates), "relearn_reached": float(time.reached)}
    base = retrained.relearn if retrained is not None else None
    if base is not None and base.reached and time.reached and base.updates > 0:
        scores["anamnesis_index"] = anamnesis_index(time, base)
    return scores
