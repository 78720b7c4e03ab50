"""SUPREME's own methods as unlearners: `supreme_ssd`, `supreme_scrub` and so on.

Constants that SUPREME fixes outside a method's function (SSD's alpha 10 and lambda 1, which are
its fields here) have SUPREME's values for its ResNet18 on CIFAR. LFSSD's alpha is None, SUPREME's
own for the scope: 10 class-wise (it takes 5 on CIFAR-20), 3.5 instance-wise. UNSIR makes its noise
as RGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from benchmark_adapters.harnesses.counted_passes import with_kinds
from benchmark_adapters.harnesses.peers import (
    PeerMethod,
    environment,
    peer_method,
)
from suli_plugin.failure import DoesNotApply
from suli_plugin.session import Session
from suli_plugin.unlearner import SCOPES, Resource, Scope


@dataclass(frozen=True, kw_only=True)
class SupremeMethod(PeerMethod):
    """A function of `supreme.methods.unlearning_methods`."""

    def _theirs(self, model: nn.Module, session: Session, outputs: int) -> nn.Module:
        from lightning.fabric import Fabric

        folder = f"supreme.methods.unlearning_methods.{self.there}"
        function = getattr(import_module(folder), self.there)
        fabric = Fabric(accelerator=session.device.type, devices=1)
        # By this variable SUPREME's own loaders stay in this process, where reads are counted.
        with environment(SCALENE="1"):
            given = self._given(session, fabric, outputs)
            result = function(fabric=fabric, model=model, **given, **self._constants(session))
        unlearned: nn.Module = result if isinstance(result, nn.Module) else model
        return getattr(unlearned, "module", unlearned)

    def check(self, session: Session) -> None:
        """See `Unlearner.check`."""
        channels = session.granted["retain"][0][0].shape[0] if self.there == "unsir" else 3
        if channels != 3:
            raise DoesNotApply(f"{self.name} makes RGB noise, the images have {channels} channels")

    def _constants(self, session: Session) -> dict[str, Any]:
        """The function's constants; None is SUPREME's own value for the scope."""
        given = {key: value for key, value in self.hyperparameters().items() if key != "batch_size"}
        if given.get("selection_weighting", 0.0) is None:
            given["selection_weighting"] = LFSSD_ALPHA[session.scope]
            session.notes["selection_weighting"] = given["selection_weighting"]
        return given

    def _given(self, session: Session, fabric: Any, outputs: int) -> dict[str, Any]:
        """The arguments that SUPREME's own dispatch passes, from what was granted."""
        sets = {
            kind: session.granted[kind] for kind in ("forget", "retain") if kind in session.granted
        }
        loaders = {
            kind: fabric.setup_dataloaders(self.loader(session, images, _three))
            for kind, images in sets.items()
        }
        given: dict[str, Any] = {
            "num_gpus": 1,
            "wandb_logging_flag": False,
            "type_of_unlearning_strategy": "fullclass" if session.forget_classes else "random_",
            "num_labels": outputs,
            "forget_label_id": session.forget_classes[0] if session.forget_classes else None,
            "distributed_strategy_name": "ddp",
        }
        for kind, loader in loaders.items():
            given[f"{kind}_train_dataloader"] = given[f"{kind}_test_dataloader"] = loader
        if len(loaders) == 2:
            whole: Any = torch.utils.data.ConcatDataset([each.dataset for each in loaders.values()])
            given["full_train_dataloader"] = fabric.setup_dataloaders(
                torch.utils.data.DataLoader(
                    whole, self.batch_size, shuffle=True, collate_fn=with_kinds
                )
            )
        if "fresh_model" in session.granted:
            given["unlearning_teacher"] = fabric.setup(session.fresh_model())
        if self.there == "unsir":
            given["trainset"] = loaders["retain"].dataset
        return given


def _three(image: Tensor, label: int) -> tuple[Any, ...]:
    return image, torch.tensor([]), label


def _method(
    there: str, paper: str, *resources: Resource, **defaults: float | None
) -> type[PeerMethod]:
    # UNSIR makes noise for a class.
    scopes = ("class-wise",) if there == "unsir" else SCOPES
    needs: dict[Scope, frozenset[Resource]] = dict.fromkeys(scopes, frozenset(resources))
    return peer_method(SupremeMethod, f"supreme_{there}", there, paper, needs, **defaults)


LFSSD_ALPHA: dict[Scope, float] = {"class-wise": 10.0, "instance-wise": 3.5}
_LFSSD = {"dampening_constant": 1.0, "selection_weighting": None}
_SSD = {"dampening_constant": 1.0, "selection_weighting": 10.0}
METHODS = (
    _method("finetune", "Golatkar et al., CVPR 2020", "retain"),
    _method("neg_grad", "Golatkar et al., CVPR 2020", "forget"),
    _method("random_labeling", "Golatkar et al., CVPR 2020", "forget", "retain"),
    _method("bad_teacher", "Chundawat et al., AAAI 2023", "forget", "retain", "fresh_model"),
    _method("unsir", "Tarun et al., TNNLS 2023", "retain"),
    _method("ssd", "Foster et al., AAAI 2024", "forget", "retain", **_SSD),
    _method(
        "lfssd", "Foster et al., Loss-Free Machine Unlearning, 2024", "forget", "retain", **_LFSSD
    ),
    _method("ssd_det", "SUPREME's deterministic SSD", "forget", "retain", **_SSD),
    _method("lfssd_det", "SUPREME's deterministic LFSSD", "forget", "retain", **_LFSSD),
    _method("assd", "Adaptive SSD, as in SUPREME", "forget", "retain", **_SSD),
    _method(
        "scrub",
        "Kurmanji et al., NeurIPS 2023",
        "forget",
        "retain",
        sgda_epochs=10,
        sgda_learning_rate=5e-4,
        gamma=1.0,
        alpha=0.5,
        smoothing=0.5,
        msteps=3,
        kd_T=2.0,
    ),
    _method(
        "jit",
        "Foster et al., Zero-Shot Machine Unlearning at Scale via Lipschitz Regularization, 2024",
        "forget",
        n_epochs=1,
        n_samples=10,
        learning_rate=1e-3,
        jit_weighting=0.1,
    ),
)
