"""Which samples a split forgets, keeps, and holds out to decide when to stop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor

from suli_plugin.hyperparameters import bounds, check_hyperparameters
from suli_plugin.scenario import scenario_of

Part = Literal["forget", "retain", "reference", "test_forget", "test_retain"]
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """How the forget set is chosen. kind: the recipe's name in a split's description."""

    kind: ClassVar[str]

    @abstractmethod
    def mask(self, labels: Tensor, ids: Sequence[str]) -> Tensor:
        """Bool (N,): true for the forgotten samples, given labels int64 (N,) and ids.

        Raises ValueError if nothing, or everything, would be forgotten.
        """

    @property
    def forget_classes(self) -> tuple[int, ...]:
        """The forgotten classes; none if the split is instance-wise."""
        return ()

    def as_dict(self) -> dict[str, Any]:
        """The recipe as JSON has it."""
        values = {name: _plain(value) for name, value in asdict(self).items()}
        return {"kind": self.kind, **values}


@dataclass(frozen=True, kw_only=True)
class ClassWise(Recipe):
    """Every sample of these classes."""

    kind: ClassVar[str] = "class-wise"
    classes: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(sorted({int(c) for c in self.classes})))

    @property
    def forget_classes(self) -> tuple[int, ...]:
        """See `Recipe.forget_classes`."""
        return self.classes

    def mask(self, labels: Tensor, ids: Sequence[str]) -> Tensor:
        """See `Recipe.mask`."""
        for label in self.classes:
            if not bool((labels == label).any()):
                raise ValueError(f"class {label} has no training sample, so nothing to forget")
        return _checked(
            torch.isin(labels, torch.tensor(self.classes, dtype=torch.int64)),
            f"classes {self.classes}",
        )


@dataclass(frozen=True, kw_only=True)
class InstanceWise(Recipe):
    """n samples drawn without replacement: uniformly, or each class in its proportion.

    The uniform draw is that of the benchmarks' scenario `instance-n` under the same seed.
    """

    kind: ClassVar[str] = "instance-wise"
    n: int = field(metadata=bounds(at_least=1))
    seed: int = field(default=0, metadata=bounds(at_least=0))
    stratified: bool = False

    def __post_init__(self) -> None:
        check_hyperparameters(self)

    def mask(self, labels: Tensor, ids: Sequence[str]) -> Tensor:
        """See `Recipe.mask`."""
        if not self.stratified:
            return forget_mask(labels, f"instance-{self.n}", self.seed)
        mask = torch.zeros(len(labels), dtype=torch.bool)
        mask[stratified_draw(torch.arange(len(labels)), labels, self.n, self.seed)] = True
        return _checked(mask, f"{self.n} samples")


@dataclass(frozen=True, kw_only=True)
class Listed(Recipe):
    """The samples of these ids, as in a request for deletion. where: how they were chosen."""

    kind: ClassVar[str] = "listed"
    ids: tuple[str, ...]
    where: tuple[str, ...] = ()

    def mask(self, labels: Tensor, ids: Sequence[str]) -> Tensor:
        """See `Recipe.mask`. Raises ValueError for an id that there is not."""
        wanted = set(self.ids)
        missing = sorted(wanted - set(ids))
        if missing:
            raise ValueError(
                f"{len(missing)} of {len(wanted)} ids are not in the data, such as "
                f"{missing[0]!r}; the first there is {ids[0]!r}"
            )
        return _checked(torch.tensor([name in wanted for name in ids]), "the listed ids")

    def as_dict(self) -> dict[str, Any]:
        """Without the ids, which the split's index holds."""
        chosen = {"where": list(self.where)} if self.where else {}
        return {"kind": self.kind, "n": len(set(self.ids)), **chosen}


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Labelled data, stratified, that no part of training sees; it decides when to stop.

    fraction: of the whole split it is drawn from. drawn_from: `test` suits any original;
    `train` only an original that was trained without these samples.
    """

    fraction: float = field(metadata=bounds(above=0, below=1))
    drawn_from: Literal["train", "test"] = "test"
    seed: int = field(default=0, metadata=bounds(at_least=0))

    def __post_init__(self) -> None:
        check_hyperparameters(self)


def divide(
    recipe: Recipe,
    reference: Reference | None,
    labels: Mapping[str, Tensor],
    ids: Sequence[str],
) -> dict[Part, Tensor]:
    """The rows of each part, int64, ascending; the parts of a split are disjoint.

    labels: int64 (N,) of the splits `train` and, if there is one, `test`. ids: of `train`.
    A part that would be empty is left out. Raises ValueError as the recipe does, and where
    nothing would be left to retain.
    """
    left = {name: torch.ones(len(of), dtype=torch.bool) for name, of in labels.items()}
    forget = recipe.mask(labels["train"], ids)
    left["train"] = ~forget
    rows: dict[Part, Tensor] = {"forget": torch.where(forget)[0]}
    if reference is not None:
        if reference.drawn_from not in labels:
            raise ValueError("a reference set from the test split needs a test split")
        pool = labels[reference.drawn_from]
        drawn = stratified_draw(
            torch.where(left[reference.drawn_from])[0],
            pool,
            max(1, round(reference.fraction * len(pool))),
            reference.seed,
        )
        left[reference.drawn_from][drawn] = False
        rows["reference"] = drawn
    rows["retain"] = torch.where(left["train"])[0]
    if not len(rows["retain"]):
        raise ValueError("no training sample is left to retain")
    if "test" in labels:
        forgotten = torch.isin(labels["test"], torch.tensor(recipe.forget_classes or [-1]))
        rows["test_forget"] = torch.where(left["test"] & forgotten)[0]
        rows["test_retain"] = torch.where(left["test"] & ~forgotten)[0]
    return {part: rows[part] for part in PARTS if part in rows and len(rows[part])}


def stratified_draw(candidates: Tensor, labels: Tensor, n: int, seed: int) -> Tensor:
    """n of the candidates, int64 (n,), ascending; each class in proportion to its candidates.

    labels: int64, of all samples. The largest remainders get what rounding leaves.
    Raises ValueError if there are not more than n candidates.
    """
    if not 0 < n < len(candidates):
        raise ValueError(f"cannot draw {n} of {len(candidates)} samples: expected fewer")
    generator = torch.Generator().manual_seed(seed)
    classes, counts = labels[candidates].unique(return_counts=True)
    exact = counts.double() * n / len(candidates)
    quota = exact.floor().long()
    rest = torch.argsort(exact - quota, descending=True, stable=True)[: n - int(quota.sum())]
    quota[rest] += 1
    drawn = []
    for label, number in zip(classes, quota.tolist(), strict=True):
        own = candidates[labels[candidates] == label]
        drawn.append(own[torch.randperm(len(own), generator=generator)[:number]])
    return torch.cat(drawn).sort().values


def forget_mask(labels: Tensor, scenario: str, seed: int) -> Tensor:
    """Bool (N,): true for the samples that a scenario forgets, in one request or several.

    labels: int64 (N,) of the training set. Class-wise: every sample of the classes. Instance-wise:
    samples drawn uniformly without replacement, a draw of its own for each seed.
    Raises ValueError if nothing, or everything, would be forgotten, or a class has no sample.
    """
    named = scenario_of(scenario)
    mask = torch.zeros(len(labels), dtype=torch.bool)
    if named.classes:
        mask = torch.isin(labels, torch.tensor(named.classes))
    else:
        mask[drawn_order(labels, seed)[: named.count]] = True
    if not bool(mask.any()) or any(not bool((labels == label).any()) for label in named.classes):
        raise ValueError(f"scenario {scenario!r} forgets nothing: no training sample is in it")
    if bool(mask.all()):
        raise ValueError(f"scenario {scenario!r} forgets all {len(labels)} training samples")
    return mask


def drawn_order(labels: Tensor, seed: int) -> Tensor:
    """The order, int64 (N,), in which training samples are drawn to be forgotten."""
    return torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))


def forget_classes(scenario: str) -> tuple[int, ...]:
    """The forgotten classes of a scenario, ascending; none if it is instance-wise."""
    return tuple(sorted(scenario_of(scenario).classes))


def recipe_of(described: Mapping[str, Any], ids: Sequence[str]) -> Recipe:
    """The recipe of `Recipe.as_dict`; ids: those that were forgotten.

    Raises ValueError for a recipe that is not known.
    """
    values = dict(described)
    kind = values.pop("kind", None)
    if kind == ClassWise.kind:
        return ClassWise(**values)
    if kind == InstanceWise.kind:
        return InstanceWise(**values)
    if kind == Listed.kind:
        return Listed(ids=tuple(ids), where=tuple(values.get("where", ())))
    known = f"{ClassWise.kind}, {InstanceWise.kind}, {Listed.kind}"
    raise ValueError(f"unknown recipe {kind!r}; known: {known}")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _checked(mask: Tensor, what: str) -> Tensor:
    if not bool(mask.any()):
        raise ValueError(f"{what}: nothing would be forgotten")
    if bool(mask.all()):
        raise ValueError(f"{what}: all {len(mask)} training samples would be forgotten")
    return mask
