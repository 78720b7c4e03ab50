"""How far a deletion request came: forgotten, or how much of the forget set is still recognised.

Class-wise, what was forgotten is recognised no more: forget accuracy is at most `at_most`, on
unseen images of the class, too, where a test set has some. By ids, the samples are to be what
unseen ones are: forget accuracy is at most `at_most` above the original's accuracy on data never
trained on, the reference set (where the methods stop) or, without one, the test set. A class that
was forgotten earlier and is recognised again is no success either. By ids, neither are earlier
samples that come back, recognised so much more than unseen ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from benchmark_adapters.deletion.request_rates import best_known

AT_MOST = 0.05
Verdict = Literal["forgotten", "accepted", "not forgotten", "not judged", "control"]
VERDICTS: tuple[Verdict, ...] = (
    "forgotten",
    "accepted",
    "not forgotten",
    "not judged",
    "control",
)
UNSEEN = ("reference", "test")
# Metrics of whole classes that were forgotten by an earlier request.
EARLIER_CLASSES = ("forgotten_before_accuracy", "test_forgotten_before_accuracy")
EARLIER_IDS = "ids_forgotten_before_accuracy"


@dataclass(frozen=True)
class Judgement:
    """The outcome against what was to be accepted; fractions in [0, 1].

    at_most: what was accepted. unseen, unseen_set: by ids, the original's accuracy on unseen data,
    and which; None class-wise and where there are none. verdict: `forgotten`, at most `AT_MOST`;
    `accepted`, more, but not above a higher at_most; `not forgotten`; `not judged`, by ids
    without unseen data; `control`, which claims nothing.
    """

    at_most: float
    unseen: float | None
    unseen_set: str | None
    verdict: Verdict

    @property
    def accepted(self) -> bool:
        """Whether the outcome may be published and ends with exit code 0."""
        return self.verdict != "not forgotten"


def judged(
    at_most: float,
    *,
    class_wise: bool,
    control: bool,
    before: Mapping[str, float],
    after: Mapping[str, float],
    worst_request: float = 0.0,
) -> Judgement:
    """The judgement of an outcome. before, after: the original's and the unlearned metrics.

    worst_request: of several requests for classes, how much of the one that is recognised the most.
    """
    names = [] if class_wise else [name for name in UNSEEN if f"{name}_accuracy" in before]
    unseen = before[f"{names[0]}_accuracy"] if names else None
    missed = max(_missed(unseen, before, after), worst_request if class_wise else -1.0)
    verdict: Verdict = "not forgotten"
    if control:
        verdict = "control"
    elif not class_wise and unseen is None:
        verdict = "not judged"
    elif missed <= at_most:
        verdict = "forgotten" if missed <= AT_MOST else "accepted"
    return Judgement(at_most, unseen, names[0] if names else None, verdict)


def judgement_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The judgement of a receipt's facts anew, JSON-able, with the receipt's `at_most`."""
    worst = best_known(facts)
    judgement = judged(
        facts["judgement"]["at_most"],
        class_wise=bool(facts["forget_set"]["classes"]),
        control=facts["record"]["control"],
        before=facts["original_metrics"],
        after=facts["record"]["metrics"],
        worst_request=worst[1] if worst else 0.0,
    )
    return asdict(judgement)


def accepted(facts: Mapping[str, Any]) -> bool:
    """Whether a receipt's outcome was accepted."""
    return Judgement(**facts["judgement"]).accepted


def outcome(facts: Mapping[str, Any]) -> str:
    """One line: how far it came, and what was accepted."""
    judgement = Judgement(**facts["judgement"])
    rate = facts["record"]["metrics"]["forget_accuracy"]
    was = facts["original_metrics"]["forget_accuracy"]
    text = f"{rate:.4f} of the forget set is recognised ({was:.4f} before)"
    new = facts["record"]["metrics"].get("test_forget_accuracy")
    if new is not None:
        text += f" and {new:.4f} of unseen images of it"
    worst = best_known(facts)
    if worst is not None:
        text += f"; of its requests {worst[0]} is recognised the most ({worst[1]:.4f})"
    if judgement.verdict == "control":
        return f"a control, which forgets nothing honestly: {text}"
    if judgement.verdict == "not judged":
        return f"not judged, since there are no unseen data to compare with: {text}"
    limit = f"at most {judgement.at_most:.4f}"
    if judgement.unseen is not None:
        limit += f" above the {judgement.unseen:.4f} of the {judgement.unseen_set} set"
    again = [f"{name.replace('_', ' ')} {value:.4f}" for name, value in _back(facts).items()]
    risen = f"; what was forgotten earlier came back: {', '.join(again)}" if again else ""
    told = f"{judgement.verdict}: {text}{risen}; {limit} was to be accepted"
    # Neither features nor relearning were looked at.
    return f"{told}; judged by its answers alone" if judgement.accepted else told


def recognised(after: Mapping[str, float]) -> float:
    """The accuracy on what was forgotten: the forget set, or unseen images of its classes.

    The higher one counts, since a class is not gone while new images of it are recognised.
    """
    return max(after["forget_accuracy"], after.get("test_forget_accuracy", 0.0))


def _missed(unseen: float | None, before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """By how much the outcome misses, in accuracy: of the forget set, or of what came back."""
    back = came_back(before, after)
    missed = [recognised(after) if unseen is None else after["forget_accuracy"] - unseen]
    missed += [back[name] for name in EARLIER_CLASSES if name in back]
    if unseen is not None and EARLIER_IDS in back:
        missed.append(back[EARLIER_IDS] - unseen)
    return max(missed)


def came_back(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """The accuracies on what was forgotten earlier that have risen, by metric."""
    return {
        name: value
        for name, value in after.items()
        if "forgotten_before" in name and value > before[name]
    }


def risen(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, Any]:
    """What a receipt says of those: the accuracy of the original and of the unlearned model."""
    back = came_back(before, after)
    return {name: {"original": before[name], "unlearned": back[name]} for name in back}


def _back(facts: Mapping[str, Any]) -> dict[str, float]:
    return came_back(facts["original_metrics"], facts["record"]["metrics"])
