"""The contract of a benchmark: named scenarios, and for each the case to unlearn and score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from suli_plugin.hyperparameters import check_hyperparameters
from suli_plugin.images import ImageSet
from suli_plugin.request import ForgetRequest
from suli_plugin.scenario import scope_of as scope_of
from suli_plugin.training_records import TrainingRecords


@dataclass(frozen=True)
class Turn:
    """One of several requests that follow one another.

    positions: int64, ascending, of its samples in the case's forget set. retain, reference: what
    there is of them at this request. forgotten_before: the classes of earlier ones.
    """

    positions: Tensor
    forget: ImageSet
    retain: ImageSet
    reference: ImageSet
    forget_classes: tuple[int, ...] = ()
    forgotten_before: tuple[int, ...] = ()


@dataclass(frozen=True)
class Case:
    """One scenario under one seed.

    original: the model to unlearn from. forget, retain, reference: the parts of the training
    data, and labelled data never trained on. test: images never trained on, for scores only.
    fresh_model: makes an untrained twin. forget_classes: empty for instance-wise.
    retain_sample: the part of `retain` that is scored, None for all of it. original_source: where
    the original comes from, JSON-able: its `kind` is `trained` or `published`. records: what its
    training left. turns: the requests that the forget set is forgotten in, one after the other,
    where they are several.
    """

    original: nn.Module
    forget: ImageSet
    retain: ImageSet
    reference: ImageSet
    test: ImageSet
    fresh_model: Callable[[], nn.Module]
    forget_classes: tuple[int, ...] = ()
    retain_sample: ImageSet | None = None
    original_source: Mapping[str, Any] = field(default_factory=dict)
    records: TrainingRecords | None = None
    turns: tuple[Turn, ...] = ()

    @property
    def scored_retain(self) -> ImageSet:
        """What stands for the retain set in every score."""
        return self.retain if self.retain_sample is None else self.retain_sample

    @property
    def request(self) -> ForgetRequest:
        """What a method is asked, with everything there is to do it with."""
        records = self.records
        return ForgetRequest(
            forget=self.forget,
            retain=self.retain,
            reference=self.reference,
            fresh_model=self.fresh_model,
            image_shape=self.forget.image_shape,
            training_log=records.training_log if records else None,
            last_epochs=records.last_epochs if records else None,
            shards=records.shards if records else None,
            forget_classes=self.forget_classes,
        )

    def request_of(self, turn: Turn) -> ForgetRequest:
        """What a method is asked at one of several requests.

        Without the original's training: a model that has unlearned has left it.
        """
        return ForgetRequest(
            forget=turn.forget,
            retain=turn.retain,
            reference=turn.reference,
            fresh_model=self.fresh_model,
            image_shape=self.forget.image_shape,
            forget_classes=turn.forget_classes,
            forgotten_before=turn.forgotten_before,
        )


@dataclass(frozen=True, kw_only=True)
class Benchmark(ABC):
    """A data set, an original model and scenarios. Fields are its options (folders, say).

    name: a lower-case identifier. summary: one line. default_scenarios: what runs if none is
    named. all_scenarios: what a glob chooses from, unless `scenarios` says otherwise. methods:
    labels (`method` or `method@preset`) that run if none is named. settings: hyper-parameters
    for this benchmark by label, each with where it comes from said beside it. relearn_updates:
    mini-batches that the relearn time may take at most; 0 leaves it out. architecture: the name
    of its originals' network, as plugins register it, where they have one. architecture_options:
    what it is built with, JSON-able. one_forget_set: whether samples are drawn alike under all
    seeds, so that one set of Retrains serves them all.

    tuning_scenarios: what methods are tuned on if none is named, best ones that no table shows;
    the default scenarios if empty. tuning_passes: samples that a trial may pass, forward and
    backward together; None for no limit. choices: the file of what tuning chose on it, for
    `METHOD@chosen`; none chosen if it is not there.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    default_scenarios: ClassVar[Sequence[str]]
    all_scenarios: ClassVar[Sequence[str]]
    methods: ClassVar[Sequence[str]]
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    relearn_updates: ClassVar[int] = 100
    architecture: ClassVar[str | None] = None
    architecture_options: ClassVar[Mapping[str, Any]] = {}
    one_forget_set: ClassVar[bool] = False
    tuning_scenarios: ClassVar[Sequence[str]] = ()
    tuning_passes: ClassVar[int | None] = None
    choices: ClassVar[Path | None] = None

    def __post_init__(self) -> None:
        check_hyperparameters(self)

    def options(self) -> dict[str, Any]:
        """The fields and their values, JSON-able; `type(self)(**options)` is the same benchmark."""
        return asdict(self)

    def scenarios(self) -> Sequence[str]:
        """What a glob chooses from: `all_scenarios`, unless the options decide which there are."""
        return self.all_scenarios

    def describe(self) -> Sequence[str]:
        """Lines on what was read, for a person to check before the first run; none by default.

        Raises ValueError where the data can't be read.
        """
        return ()

    def original_recipe(self) -> Mapping[str, Any] | None:
        """The hyper-parameters of Retrain that made the original; None where they are not known.

        A Retrain of another recipe is no yardstick: less training looks like forgetting.
        """
        return None

    def kept_original(self, seed: int) -> str | None:
        """The name that `kept_tensors` keeps the original of a seed under; known without training.

        None where it is not trained here, or not kept: then each process makes its own.
        """
        return None

    @abstractmethod
    def fingerprint(self, scenario: str, seed: int) -> str:
        """A hash of everything that makes the case: data, recipe, split; known without training."""

    @abstractmethod
    def case(self, scenario: str, seed: int) -> Case:
        """Make the case. Raises ValueError for a scenario that there is not."""
