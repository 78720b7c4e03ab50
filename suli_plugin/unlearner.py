"""The contract: what may be asked (`ForgetRequest`) and who answers (`Unlearner`)."""

from __future__ import annotations

import dataclasses
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, get_args

from torch import Tensor, nn
from torch.utils.data import Dataset
from typing_extensions import Self

from suli_plugin.hyperparameters import check_hyperparameters

if TYPE_CHECKING:
    from suli_plugin.session import Session

Scope = Literal["class-wise", "instance-wise"]
Resource = Literal["forget", "retain", "reference", "fresh_model", "training_log"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
RESOURCES: tuple[Resource, ...] = get_args(Resource)
IMAGE_RESOURCES: tuple[Resource, ...] = ("forget", "retain", "reference")


class TrainingLog(Protocol):
    """What the original's training left behind, for methods that undo updates (Graves et al.)."""

    def updates(self) -> Iterable[tuple[tuple[int, ...], Mapping[str, Tensor]]]:
        """Yield, step by step, the positions trained on and the change of every state entry."""


def class_numbers(given: Iterable[int], name: str = "forget_classes") -> tuple[int, ...]:
    """Forgotten classes as sorted whole numbers, each once; NumPy's and torch's integers, too.

    name: of the argument, for messages.

    Raises TypeError for anything else, a lone number or a string among it.
    """
    try:
        return tuple(sorted({_whole_number(label) for label in given}))
    except TypeError:
        raise TypeError(
            f"{name} must be a sequence of whole numbers, such as (3,), got {given!r}"
        ) from None


def _whole_number(given: Any) -> int:
    if isinstance(given, bool):
        raise TypeError
    return operator.index(given)


@dataclass(frozen=True)
class ForgetRequest:
    """What must be forgotten, and what there is to do it with.

    forget, retain, reference: map-style datasets of `(image, label)`; an image is a tensor
        (C, H, W), float as the model takes it or uint8 (then divided by 255), or a PIL image or
        uint8 array (H, W, C); a label is an int in [0, outputs of the model).
        `ImageSet` adds normalisation and augmentation. `reference` is labelled data that was
        never trained on; it decides when to stop.
    fresh_model: makes an untrained twin of the original, initialised from the global seed.
    training_log: the log of the original's training.
    forget_classes: the forgotten classes; empty means instance-wise. They are the classes of the
        forget set's images, no more and no fewer, which `run` compares.
    forgotten_before: classes that the model was made to forget earlier. No target teaches them
        again; the retain and reference sets must be without them, which `run` checks.
    Raises TypeError for classes that are not a sequence of whole numbers.
    """

    forget: Dataset[Any] | None = None
    retain: Dataset[Any] | None = None
    reference: Dataset[Any] | None = None
    fresh_model: Callable[[], nn.Module] | None = None
    training_log: TrainingLog | None = None
    forget_classes: tuple[int, ...] = ()
    forgotten_before: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("forget_classes", "forgotten_before"):
            object.__setattr__(self, name, class_numbers(getattr(self, name), name))

    @property
    def scope(self) -> Scope:
        """`class-wise` if forgotten classes are named, else `instance-wise`."""
        return "class-wise" if self.forget_classes else "instance-wise"

    def resource(self, name: Resource) -> Any:
        """The resource of that name, or None."""
        return getattr(self, name)


@dataclass(frozen=True, kw_only=True)
class Unlearner(ABC):
    """A way to unlearn. An instance's fields are its hyper-parameters; nothing else is state.

    A subclass is a frozen, keyword-only dataclass whose fields all have defaults (the paper's or
    measured) and JSON values, and it declares:

    name: a lower-case identifier, as papers write it.
    paper: citation of the source, with section or equation.
    needs: for each scope that it supports, the resources it reads. `run` withholds the others.
    batch_norm: what becomes of BatchNorm while training, a field of every method that trains.
    preset_NAME: class methods `(scope) -> Self`; their docstrings say where the values come from.
    zero_steps: the fields' values that leave no step to take, where there are such.
    search_space: for each hyper-parameter that is worth tuning the values to try, at least two,
        log-spaced around the source's for a rate; empty if there is nothing to tune. A field that
        is None in a preset is switched off there and not searched, unless None is a value to try.
    expected_failures: rules of the conformance suite that it cannot keep, each with its reason.
    control: True for a row that forgets nothing honestly and shows what a metric can't see.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    needs: ClassVar[Mapping[Scope, frozenset[Resource]]]
    zero_steps: ClassVar[Mapping[str, Any] | None] = None
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {}
    expected_failures: ClassVar[Mapping[str, str]] = {}
    control: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_hyperparameters(self)

    @abstractmethod
    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """Return `model` without the influence of the forget set.

        `model` is a copy and yours to change. `session` holds the resources that were declared
        and the only training loop, loader, evaluation pass, clock and random generator there are.
        """

    def check(self, session: Session) -> None:  # noqa: B027  # most methods take whatever fits
        """Raise ValueError for what this method can't be given, before anything is done."""

    def resources(self, scope: Scope) -> frozenset[Resource]:
        """The resources read in this scope; override where hyper-parameters change the need."""
        return self.needs[scope]

    def hyperparameters(self) -> dict[str, Any]:
        """The fields and their values, JSON-able."""
        return dataclasses.asdict(self)

    @classmethod
    def presets(cls) -> tuple[str, ...]:
        """The names of the presets, those of the class methods `preset_NAME`."""
        return tuple(
            sorted(name.removeprefix("preset_") for name in dir(cls) if name.startswith("preset_"))
        )

    @classmethod
    def preset(cls, name: str, scope: Scope) -> Self:
        """The method with the settings that a named source gives for this scope.

        Raises ValueError for an unknown preset.
        """
        if name not in cls.presets():
            known = ", ".join(cls.presets()) or "none"
            raise ValueError(f"{cls.name} has no preset {name!r}; its presets: {known}")
        made: Self = getattr(cls, f"preset_{name}")(scope)
        return made
