"""How good a trial of a tuning run is: one number from validation data alone."""

from __future__ import annotations

from collections.abc import Mapping

from suli_plugin.unlearner import Scope

Accuracies = Mapping[str, float]


def tuning_score(unlearned: Accuracies, original: Accuracies, scope: Scope) -> float:
    """A fraction in [0, 1]; higher is better, 1 is ideal. A product: no factor makes up another.

    Class-wise: (1 - forget accuracy) * (1 - accuracy on held-out images of the forgotten classes)
    * (accuracy on held-out images of the others / the original's). The second factor is there
    since a class must be forgotten, not the images that the method saw of it.

    Instance-wise: (1 - |forget accuracy - the original's reference accuracy|) * (retain accuracy /
    the original's) * (held-out accuracy / the original's). Samples that were never trained on are
    classified as the reference set is, neither better nor at 0.

    Ratios count as 1 at most: unlearning is not rewarded for training on. The paper's stop rule
    has the same targets. Nothing here needs a retrained model, since who tunes for a deletion
    request has none, nor a test image, since what was chosen by them cannot be tested by them.
    The held-out images are ones that the original was trained on but the method did not get. (With
    a published original the reference set is a part of the test split, which no score is of.)

    It sees answers alone: a constant on the forgotten logit scores 1 class-wise, whatever the
    features keep. So controls are not tuned, and what hides is the audit's to find.

    unlearned, original: accuracies by name, fractions; `validation_*` are of held-out images.
    Raises ValueError if the original gets no image right that should be retained.
    """
    if scope == "class-wise":
        forgotten = 1 - unlearned["forget_accuracy"]
        generalised = 1 - unlearned["validation_forget_accuracy"]
        return forgotten * generalised * _kept("validation_retain_accuracy", unlearned, original)
    distance = abs(unlearned["forget_accuracy"] - original["reference_accuracy"])
    retained = _kept("retain_accuracy", unlearned, original)
    return (1 - distance) * retained * _kept("validation_accuracy", unlearned, original)


def _kept(name: str, unlearned: Accuracies, original: Accuracies) -> float:
    if original[name] == 0:
        raise ValueError(f"the original's {name} is 0, so nothing can be kept; check the original")
    return min(1.0, unlearned[name] / original[name])
