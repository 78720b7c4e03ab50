"""MU-Bench (CLU-UML/MU-Bench, run from its clone): our methods as its trainers.

In Python, for any forget set and class-wise, too:

    trainer = trainer_class("suli", forget_classes=(3,))(
        raw_datasets=..., args=..., unlearn_config=...
    )
    trainer.unlearn()
    trainer.evaluate_unlearn()

Its own scripts, unchanged, with its forget split (instance-wise), PYTHONPATH being the clone:

    python -m benchmark_adapters.mu_bench experiment/cifar10/unlearn.py configuration.json

`unlearn_method` in the configuration is a label of ours (`suli`, `su@official`); a name that
MU-Bench has itself is its own, and ours gets `_plugin` behind it. `hyperparameters`, an object, is
ours and is taken out before the script reads the file.

Read its raw accuracies, not its headline: `unlearn_overall_accuracy` becomes 0 as soon as forget
accuracy is more than 20 % below 1 / K, so perfect class-wise unlearning (0) scores 0.
MU-Bench has no licence: nothing of it is copied. It needs transformers below 5.
"""

from __future__ import annotations

import ast
import copy
import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmark_adapters.harnesses.handed_over import harness_request, unlearn_in_place
from benchmark_adapters.harnesses.installed import MU_BENCH, clone_on_path, harness_module
from benchmark_adapters.harnesses.translation import (
    our_labels,
)
from suli_plugin.unlearner import ForgetRequest, class_numbers

logger = logging.getLogger(__name__)


def trainer_class(
    label: str,
    *,
    forget_classes: Sequence[int] = (),
    settings: Mapping[str, Any] | None = None,
) -> type:
    """An `UnlearningTrainer` that runs the method of that label by our runner.

    It forgets `raw_datasets["df"]`, retains `dr`, and stops by `validation`, or by `test` where
    there is none: held-out data that decides when to stop. settings: hyper-parameters.
    """
    classes = class_numbers(forget_classes)
    base: Any = harness_module("mubench.trainer.base", MU_BENCH).UnlearningTrainer
    from transformers.trainer_utils import TrainOutput

    class PluginTrainer(base):
        def method_specific_setup(self) -> None:
            # For a method that it does not know, MU-Bench leaves the whole training set here.
            self.train_dataset = self.raw_datasets["df"]

        def method_specific_unlearn(self, *_: Any, **__: Any) -> Any:
            unlearned = unlearn_in_place(
                label,
                self.model,
                self._request(),
                settings=settings,
                accelerator=self.accelerator,
                seed=self.args.seed,
            )
            steps = unlearned.history[-1].step if unlearned.history else 0
            losses = [each.loss for each in unlearned.history if each.loss is not None]
            self.state.global_step = steps
            metrics = {"train_runtime": unlearned.seconds.total}
            return TrainOutput(steps, losses[-1] if losses else 0.0, metrics)

        def evaluate_unlearn(self, *args: Any, **kwargs: Any) -> Any:
            metrics = super().evaluate_unlearn(*args, **kwargs)
            raw = {name: metrics.get(f"{name}_accuracy") for name in ("dt", "df", "dr")}
            logger.warning(
                "%s: test, forget and retain accuracy %s; the headline %s is 0 wherever forget "
                "accuracy is more than 20 %% below chance",
                label,
                raw,
                metrics.get("unlearn_overall_accuracy"),
            )
            return metrics

        def _request(self) -> ForgetRequest:
            reference = "validation" if "validation" in self.raw_datasets else "test"
            return harness_request(
                forget=self.raw_datasets["df"],
                retain=self.raw_datasets["dr"],
                reference=self.raw_datasets[reference],
                fresh_model=lambda: type(self.model)(copy.deepcopy(self.model.config)),
                forget_classes=classes,
            )

    PluginTrainer.__name__ = PluginTrainer.__qualname__ = f"{label.title()}Trainer"
    return PluginTrainer


def labels() -> dict[str, str]:
    """Our labels by the names they have in a configuration of MU-Bench."""
    return {f"{label}_plugin" if _is_mu_benchs(label) else label: label for label in our_labels()}


def _is_mu_benchs(name: str) -> bool:
    return name in _names_of_its_own()


@cache
def _names_of_its_own() -> frozenset[str]:
    """The names in `get_trainer`'s dict, read from its file: importing MU-Bench takes seconds."""
    folder = clone_on_path("mubench", "trainer/base.py")
    if folder is None:
        return frozenset()
    tree = ast.parse(Path(folder, "trainer", "__init__.py").read_text(encoding="utf-8"))
    names = {
        key.value
        for each in ast.walk(tree)
        if isinstance(each, ast.Dict)
        for key in each.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }
    if not names:
        raise ValueError(f"{folder}/trainer/__init__.py names no trainer; tried with 48f5c7b")
    return frozenset(names)
