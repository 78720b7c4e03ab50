"""A deletion request: an original, data and a method that fit; announced, then fulfilled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.deletion.answers_of_original import answers_of_original
from benchmark_adapters.deletion.case import BENCHMARK, case_of, scenario_of
from benchmark_adapters.deletion.data import DeletionData
from benchmark_adapters.deletion.fit import check_data, check_method
from benchmark_adapters.deletion.in_turn import NOBODY, Asked, Told, fulfil_in_turn
from benchmark_adapters.deletion.judgement import AT_MOST
from benchmark_adapters.deletion.measures import (
    Answers,
    KeptClass,
    answers_of,
    kept_classes,
    metrics_of,
    not_measured,
)
from benchmark_adapters.deletion.wording import counted
from benchmark_adapters.originals.load import LoadedOriginal
from benchmark_adapters.records.provenance import state_hash
from benchmark_adapters.records.run_record import Measured, cell_key, run_record
from suli_plugin.failure import Failure
from suli_plugin.history import Progress
from suli_plugin.registry import Origin, Registry
from suli_plugin.runner import run
from suli_plugin.unlearned import Unlearned
from suli_plugin.unlearner import RESOURCES, ForgetRequest, Resource, Scope, Unlearner


@dataclass(frozen=True)
class DeletionRequest:
    """What is to be forgotten, from which original, by which method (`label`), with which seed.

    at_most: the outcome that is accepted, see `judgement`.
    """

    original: LoadedOriginal
    data: DeletionData
    unlearner: Unlearner
    label: str
    origin: Origin
    seed: int = 0
    at_most: float = AT_MOST

    @property
    def scope(self) -> Scope:
        """`class-wise` if classes are forgotten, else `instance-wise`."""
        return "class-wise" if self.data.forget_classes else "instance-wise"

    @property
    def scenario(self) -> str:
        """The scenario's name in the record: `class-1`, `class-1,3` or `instance-64`."""
        return scenario_of(self.data.forget_classes, len(self.data.forget))

    @property
    def forgotten(self) -> str:
        """What is forgotten, in words: `5000 samples, all of class automobile`."""
        count, names = len(self.data.forget), self.data.class_names
        if not names:
            return counted(count, "single sample")
        kind = "class" if len(names) == 1 else "classes"
        return f"{counted(count, 'sample')}, all of {kind} {', '.join(names)}"

    @property
    def _in_turn(self) -> str:
        return f" in {len(self.data.steps)} requests," if self.data.steps else ""

    @property
    def reads(self) -> tuple[Resource, ...]:
        """The resources that the method reads, in a fixed order."""
        needed = self.unlearner.resources(self.scope)
        return tuple(name for name in RESOURCES if name in needed)

    @cached_property
    def not_measured(self) -> dict[str, str]:
        """What the data leave unmeasured, each with the reason."""
        return not_measured(self.data)

    @property
    def announcement(self) -> str:
        """One line: what will be forgotten, by which method, what is and can't be measured."""
        read = ", ".join(self.reads) or "no data"
        alone = "reading the forget data alone" if self.reads == ("forget",) else f"reading {read}"
        control = " (a control, which forgets nothing honestly)" if self.unlearner.control else ""
        sets = ", ".join(
            name.replace("_", " ")
            for name in self.data.images
            if name != "reference" or self.scope == "instance-wise"
        )
        missing = "; ".join(f"{what} ({why})" for what, why in self.not_measured.items())
        return (
            f"forgetting {self.forgotten},{self._in_turn} of {self.data.base.source} with "
            f"{self.label}{control}, {alone}; measured before and after on: {sets}; not measured: "
            f"{missing or 'nothing'}"
        )

    def fulfil(
        self,
        accelerator: Accelerator,
        progress: Progress = lambda entry: None,
        *,
        allow_unchanged: bool = False,
        told: Told = NOBODY,
    ) -> Fulfilled:
        """Unlearn, and score the original and the unlearned model in float32.

        told: of requests in turn, where they are several. Raises Failure, before anything is
        unlearned, if the original knows the data no better than by chance, and if the method left
        every weight and buffer as it was, unless it is a control or `allow_unchanged`.
        """
        original_hash = state_hash(self.original.model)
        known = answers_of_original(self.original, self.data, accelerator)
        before = metrics_of(known, self.data, seed=self.seed)
        after_each: list[dict[str, Any]] = []
        if self.data.steps:
            key = self._key(original_hash, accelerator)
            asked = Asked(self.original, self.data, self.unlearner, self.seed)
            unlearned, after_each = fulfil_in_turn(asked, key, accelerator, progress, told)
        else:
            unlearned = run(
                self.unlearner,
                self.original.model,
                self._for_the_method(),
                accelerator=accelerator,
                seed=self.seed,
                progress=progress,
            )
        answers = answers_of(unlearned.model, self.data, accelerator)
        record = self._record(unlearned, answers, original_hash, accelerator)
        if record["unlearned_hash"] == original_hash and not allow_unchanged:
            self._refuse_unchanged(unlearned)
        kept = kept_classes(known, answers, self.data)
        return Fulfilled(unlearned, before, record, kept, after_each)

    def _for_the_method(self) -> ForgetRequest:
        """What a method may be given."""
        return ForgetRequest(
            forget=self.data.forget,
            retain=self.data.retain,
            reference=self.data.reference,
            fresh_model=self.original.fresh_model,
            image_shape=self.data.forget.image_shape,
            forget_classes=self.data.forget_classes,
            forgotten_before=self.data.before.classes,
        )

    def _record(
        self,
        unlearned: Unlearned,
        answers: Answers,
        original_hash: str,
        accelerator: Accelerator,
    ) -> dict[str, Any]:
        """The record of the run, not yet completed. answers: of the unlearned model."""
        original, data = self.original, self.data
        return run_record(
            unlearned,
            self.origin,
            benchmark=BENCHMARK,
            scenario=self.scenario,
            label=self.label,
            cell=self._key(original_hash, accelerator),
            measured=Measured(
                metrics_of(answers, data, seed=self.seed),
                forget_set_hash=data.hashes["forget"],
                original_hash=original_hash,
                case=self._case(original_hash),
                original={"kind": "published", **original.provenance()},
                sizes={str(name): len(images) for name, images in data.images.items()},
                set_hashes={str(name): value for name, value in data.hashes.items()},
            ),
        )

    def _refuse_unchanged(self, unlearned: Unlearned) -> None:
        if not self.unlearner.control:
            raise Failure(
                f"nothing was changed: {self.label} left every weight of {self.original.source} "
                f"as it was, and stopped because: {unlearned.stop_reason}; pass "
                f"--allow-unchanged to write it all the same"
            )

    def _key(self, original_hash: str, accelerator: Accelerator) -> str:
        return cell_key(
            self.unlearner,
            self.origin,
            accelerator,
            benchmark=BENCHMARK,
            scenario=self.scenario,
            label=self.label,
            seed=self.seed,
            case=self._case(original_hash),
        )

    def _case(self, original_hash: str) -> str:
        requests = [step.as_dict() for step in self.data.steps]
        return case_of(original_hash, self.data.hashes, self.data.forget_classes, requests)


@dataclass(frozen=True)
class Fulfilled:
    """The outcome. original_metrics: the original's; record: of the run, not yet completed.

    kept: each class that was kept, before and after. after_each: what was measured after each of
    several requests.
    """

    unlearned: Unlearned
    original_metrics: dict[str, float]
    record: dict[str, Any]
    kept: list[KeptClass]
    after_each: list[dict[str, Any]]


def make_request(
    original: LoadedOriginal,
    data: DeletionData,
    label: str,
    settings: Mapping[str, Any],
    registry: Registry,
    *,
    seed: int = 0,
    at_most: float = AT_MOST,
) -> DeletionRequest:
    """A request that can be fulfilled. settings: hyper-parameters over the label's.

    A preset of which they change anything is no longer called by its name, but by the method's.
    Raises ValueError or TypeError, before anything is run, where the method does not serve the
    scope or needs data that are not there, and where original and data do not fit.
    """
    scope: Scope = "class-wise" if data.forget_classes else "instance-wise"
    unlearner = registry.unlearner(label, scope, settings)
    if unlearner != registry.unlearner(label, scope):
        label = unlearner.name
    check_method(unlearner, scope, data)
    check_data(original, data)
    origin = registry.origins[unlearner.name]
    return DeletionRequest(original, data, unlearner, label, origin, seed, at_most)
