"""A tuning run on digits whose test set must not be looked at, and methods that misbehave in it."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from accelerate import Accelerator
from untouchable_images import Untouchable

from benchmark_adapters.baselines.neg_grad import NegGrad
from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from benchmark_adapters.tuning.choice import write_choices
from benchmark_adapters.tuning.run import TrialRuns
from benchmark_adapters.tuning.trial_cells import Tuning, trial_cells, tunable
from benchmark_adapters.tuning.trial_results import tuned_methods
from suli_plugin.plugins import load_plugins
from suli_plugin.registry import Origin
from suli_plugin.rounds import cross_entropy

ACCELERATOR = Accelerator()


@dataclass(frozen=True, kw_only=True)
class Runaway(NegGrad):
    """Ascent that is fast enough for some rates to leave the numbers behind."""

    name: ClassVar[str] = "runaway"
    search_space: ClassVar[dict] = {"lr": (1e-3, 1e30)}
    lr: float = 1e30
    max_grad_norm: float = 1e30


@dataclass(frozen=True, kw_only=True)
class Buggy(NegGrad):
    """A stranger's method that breaks for one of its values."""

    name: ClassVar[str] = "buggy"
    search_space: ClassVar[dict] = {"epochs": (1, 2, 3)}

    def unlearn(self, model, session):
        if self.epochs == 2:
            raise KeyError("a bug of its own")
        return super().unlearn(model, session)


@dataclass(frozen=True, kw_only=True)
class Slow(NegGrad):
    """Takes as many passes as it is told, and changes nothing."""

    name: ClassVar[str] = "slow"
    search_space: ClassVar[dict] = {"epochs": (1, 2, 3)}
    epochs: int = 3

    def unlearn(self, model, session):
        session.train(
            model,
            session.epochs(session.forget, cross_entropy, epochs=self.epochs, batch_size=64),
            lambda parameters: dataclasses.replace(self, lr=0.0)._optimizer(parameters),
            batch_norm="frozen",
        )
        return model


@dataclass(frozen=True, kw_only=True)
class Guarded(Digits):
    """Digits, with a test set that raises when it is looked at."""

    def case(self, scenario, seed):
        return dataclasses.replace(super().case(scenario, seed), test=Untouchable())


REGISTRY = load_plugins(strict=True)
for method in (Runaway, Buggy, Slow):
    REGISTRY.unlearners[method.name] = method
    REGISTRY.origins[method.name] = Origin("t", "t", "1")


class Tuned:
    """A tuning run on guarded digits with everything that it left."""

    def __init__(self, folder, methods, *, scenarios=("class-3",), seeds=(0,), by_hand=None, **own):
        self.tuning = Tuning(**{"trials": 3, **own})
        by_hand = by_hand or {}
        benchmark = Guarded()
        starts = plan(
            benchmark, REGISTRY, scenarios=list(scenarios), methods=methods, seeds=list(seeds),
            changes=by_hand, accelerator=ACCELERATOR,
        )  # fmt: skip
        starts = tunable(starts, methods)
        self.cells = trial_cells(starts, REGISTRY, ACCELERATOR, self.tuning, fixed=by_hand)
        runs = TrialRuns(benchmark, REGISTRY, ACCELERATOR, self.tuning)
        self.outcome = run_grid(self.cells, benchmark, REGISTRY, folder, ACCELERATOR, run_cell=runs)
        self.methods = tuned_methods(starts, self.outcome.records, by_hand)
        self.file = folder / "choice.json"
        self.choices = write_choices(self.file, self.methods, self.tuning)
