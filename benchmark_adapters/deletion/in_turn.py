"""Requests of one file, fulfilled one after the other, each from the outcome of the one before.

What any of them forgets is in no other's retain or reference data, and no target teaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from benchmark_adapters.command_line.main_process import from_main
from benchmark_adapters.deletion.data import DeletionData
from benchmark_adapters.deletion.kept_steps import KeptSteps
from benchmark_adapters.deletion.measures import Answers, answers_of, metrics_of
from benchmark_adapters.deletion.request_rates import known, risen_requests
from benchmark_adapters.deletion.steps import Step
from benchmark_adapters.metrics.accuracy import part
from benchmark_adapters.metrics.scoring import of_classes
from benchmark_adapters.originals.load import LoadedOriginal
from benchmark_adapters.records.provenance import state_hash
from suli_plugin.history import Progress
from suli_plugin.images import ImageSet
from suli_plugin.in_turn import joined
from suli_plugin.runner import run
from suli_plugin.twin import twin_of
from suli_plugin.unlearned import Unlearned
from suli_plugin.unlearner import ForgetRequest, Unlearner

Done = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What is asked of a method, in all requests alike. data: of all of them, with their steps."""

    original: LoadedOriginal
    data: DeletionData
    unlearner: Unlearner
    seed: int


@dataclass(frozen=True)
class Told:
    """Who is told how far requests in turn have come, and where that is kept."""

    line: Callable[[str], None] = lambda line: None
    kept: KeptSteps = field(default_factory=lambda: KeptSteps(None))


NOBODY = Told()


def fulfil_in_turn(
    request: Asked, key: str, accelerator: Accelerator, progress: Progress, told: Told
) -> tuple[Unlearned, list[Done]]:
    """One result of all requests, and what was measured after each. key: of the whole run."""
    model, done = _continued(request, key, accelerator, told)
    steps = request.data.steps
    for number, step in enumerate(steps[len(done) :], len(done) + 1):
        told.line(f"request {number} of {len(steps)}: {step.words}")
        unlearned = run(
            request.unlearner,
            model,
            _for_the_method(request, step),
            accelerator=accelerator,
            seed=request.seed,
            progress=progress,
        )
        model = unlearned.model
        answers = answers_of(model, request.data, accelerator)
        after = _after(model, answers, request, done, unlearned)
        done.append({"run": unlearned.as_dict(), "after": after})
        told.line(f"after request {number}: {_words(after)}")
        # If it can't be kept, all processes stop here, not the main one alone.
        from_main(accelerator, partial(told.kept.write, key, model, done))
    parts = [each["run"] for each in done]
    return joined(model, request.unlearner, parts), [each["after"] for each in done]


def _continued(
    request: Asked, key: str, accelerator: Accelerator, told: Told
) -> tuple[nn.Module, list[Done]]:
    """Behind the last request that an earlier process has done, or at the beginning."""
    found = from_main(accelerator, lambda: told.kept.read(key))
    if found is None:
        if from_main(accelerator, lambda: told.kept.holds_any):
            told.line(
                f"what {told.kept.folder} keeps is of another run (other requests, settings, data "
                f"or number of processes), so this one begins with request 1"
            )
        return request.original.model, []
    state, done = found
    model, _ = twin_of(request.original.model, request.original.fresh_model)
    model.load_state_dict(state)
    if state_hash(model) != done[-1]["after"]["state_hash"]:
        return request.original.model, []
    told.line(
        f"continuing after request {len(done)} of {len(request.data.steps)}, kept in "
        f"{told.kept.folder}"
    )
    return model, done


def _for_the_method(request: Asked, step: Step) -> ForgetRequest:
    """What a method may be given for one of the requests."""
    data, original = request.data, request.original
    others = {*data.before.classes, *data.forget_classes} - {*step.classes}
    return ForgetRequest(
        forget=data.forget.subset(step.positions),
        retain=data.retain,
        reference=_without(data.reference, others),
        fresh_model=original.fresh_model,
        image_shape=data.forget.image_shape,
        forget_classes=step.classes,
        forgotten_before=tuple(others),
    )


def _without(images: ImageSet | None, classes: set[int]) -> ImageSet | None:
    if images is None:
        return None
    kept = torch.where(~of_classes(images.labels, sorted(classes)))[0]
    return images.subset(kept) if len(kept) else None


def _after(
    model: nn.Module,
    answers: Answers,
    request: Asked,
    done: list[Done],
    unlearned: Unlearned,
) -> dict[str, Any]:
    found = measured(answers, request.data, len(done) + 1)
    before = done[-1]["after"]["measured"] if done else []
    return {
        "state_hash": state_hash(model),
        "stop_reason": unlearned.stop_reason,
        "seconds": unlearned.as_dict()["seconds"],
        "metrics": metrics_of(answers, request.data, seed=request.seed, attack=False),
        "measured": found,
        "came_back": risen_requests(before, found),
    }


def measured(answers: Answers, data: DeletionData, count: int) -> list[dict[str, Any]]:
    """The accuracy on the samples of each of the first `count` requests, and on new ones of theirs.

    test_forget_accuracy: on unseen images of its classes, None where there are none.
    """
    forget, test = answers["forget"], answers.get("test")
    found = []
    for step in data.steps[:count]:
        own = torch.zeros(len(forget.labels), dtype=torch.bool)
        own[step.positions] = True
        unseen = None if test is None else of_classes(test.labels, step.classes)
        rate = None
        if test is not None and unseen is not None and bool(unseen.any()):
            rate = part(test, unseen).accuracy()
        found.append(
            {
                "request": step.name,
                "forget_accuracy": part(forget, own).accuracy(),
                "test_forget_accuracy": rate,
            }
        )
    return found


def _words(after: Mapping[str, Any]) -> str:
    return ", ".join(f"{each['request']} {known(each):.4f}" for each in after["measured"])
