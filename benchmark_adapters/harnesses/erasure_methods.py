"""ERASURE's own methods as unlearners: `erasure_bad_teaching`, `erasure_scrub` and so on.

Its classes want a context, a data manager and a predictor; these are built here from a session.
ERASURE's SCRUB takes a shallow copy as its teacher, so that teacher and student are one model; it
is run as it is.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.data import ConcatDataset, DataLoader
from typing_extensions import Self

from benchmark_adapters.harnesses.counted_passes import with_kinds
from benchmark_adapters.harnesses.installed import clone_on_path
from benchmark_adapters.harnesses.peers import PeerMethod, PeerRows, peer_method
from suli_plugin.failure import DoesNotApply
from suli_plugin.session import Session
from suli_plugin.unlearner import SCOPES, Resource

WHOLE_BATCHES = ("AdvancedNegGrad", "UNSIR")


@dataclass(frozen=True, kw_only=True)
class ErasureMethod(PeerMethod):
    """A class of `erasure.unlearners`. optimizer: of `torch.optim`, with learning rate `lr`."""

    optimizer: Literal["Adam", "SGD"] = "Adam"

    def _theirs(self, model: nn.Module, session: Session, outputs: int) -> nn.Module:
        module, _, name = self.there.partition(".")
        cls = getattr(_imported(f"erasure.unlearners.{module}"), name)
        predictor = _predictor(model, session)
        local = SimpleNamespace(
            config={"parameters": self._parameters()},
            dataset=_Partitions(self, session, outputs),
            predictor=predictor,
        )
        cls(_context(session), local).unlearn()
        unlearned: nn.Module = predictor.model.inner
        return unlearned

    def check(self, session: Session) -> None:
        """See `Unlearner.check`."""
        if self.there.partition(".")[0] not in WHOLE_BATCHES:
            return
        for kind in ("forget", "retain"):
            if len(session.granted[kind]) < self.batch_size:
                raise DoesNotApply(
                    f"{self.name} skips batches that are not full, and the {kind} set has "
                    f"{len(session.granted[kind])} images; set batch_size below {self.batch_size}"
                )

    def _parameters(self) -> dict[str, Any]:
        given = {key: value for key, value in self.hyperparameters().items() if key != "batch_size"}
        optimizer = given.pop("optimizer")
        if "lr" in given:
            parameters = {"lr": given.pop("lr")}
            given["optimizer"] = {"class": f"torch.optim.{optimizer}", "parameters": parameters}
        return {**given, "ref_data_train": "train", "ref_data_forget": "forget"}


class WithFeatures(nn.Module):
    """A model in ERASURE's form `(features, logits)`; its methods use the logits only."""

    def __init__(self, inner: nn.Module, session: Session) -> None:
        super().__init__()
        self.inner, self.logits_of = inner, session.logits_of
        self.device = str(session.device)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See `nn.Module.forward`."""
        logits = self.logits_of(self.inner(images))
        return logits, logits

    def children(self) -> Iterator[nn.Module]:
        """The layers of the model itself, the last of which `eu_k` resets."""
        return self.inner.children()

    def train(self, mode: bool = True) -> Self:
        """See `nn.Module.train`, which would leave the model itself out."""
        self.training = mode
        self.inner.train(mode)
        return self


class _Partitions:
    """What stands in for ERASURE's data manager: the granted sets, and `train`, both together."""

    def __init__(self, method: ErasureMethod, session: Session, outputs: int) -> None:
        self.method, self.session, self.batch_size = method, session, method.batch_size
        self.n_classes = outputs

    def get_loader_for(self, name: str, *_: Any, **__: Any) -> tuple[DataLoader[Any], None]:
        """The loader of that name, in a fixed order as ERASURE's are; the last batch included."""
        kinds = ("retain", "forget") if name == "train" else (name,)
        sets = [getattr(self.session, kind) for kind in kinds]
        rows = [PeerRows(self.session, images, _pair) for images in sets]
        whole: Any = ConcatDataset(rows) if len(rows) > 1 else rows[0]
        return DataLoader(whole, self.batch_size, collate_fn=with_kinds), None


def _pair(image: Tensor, label: int) -> tuple[Any, ...]:
    return image, torch.tensor(label)


def _predictor(model: nn.Module, session: Session) -> SimpleNamespace:
    return SimpleNamespace(
        model=WithFeatures(model, session),
        loss_fn=nn.CrossEntropyLoss(),
        # ERASURE's own is tied to the optimiser of the original's training, which is over.
        lr_scheduler=SimpleNamespace(step=lambda: None),
        device=str(session.device),
    )


def _context(session: Session) -> SimpleNamespace:
    """The global context: what Bad Teaching makes its incompetent teacher from."""
    return SimpleNamespace(
        config=SimpleNamespace(predictor={"parameters": {}}),
        factory=SimpleNamespace(
            get_object=lambda local: _predictor(session.fresh_model(), session)
        ),
    )


def _imported(module: str) -> Any:
    """A module of ERASURE, which makes log and cache folders where it is first imported."""
    folder = clone_on_path("erasure", "core/unlearner.py")
    if folder is None:
        raise ValueError("ERASURE is not on PYTHONPATH; put the folder of its clone there")
    here = os.getcwd()
    sys.path.insert(0, str(Path(folder).resolve().parent))
    os.chdir(tempfile.mkdtemp(prefix="erasure-"))
    try:
        return import_module(module)
    except ImportError as error:
        raise ValueError(f"ERASURE can't be imported: {error}") from error
    finally:
        os.chdir(here)
        sys.path.pop(0)


def _method(there: str, paper: str, *resources: Resource, **defaults: float) -> type[PeerMethod]:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", there.partition(".")[2]).lower()
    needs = dict.fromkeys(SCOPES, frozenset(resources))
    return peer_method(ErasureMethod, f"erasure_{name}", there, paper, needs, **defaults)


METHODS = (
    _method("Finetuning.Finetuning", "Golatkar et al., CVPR 2020", "retain", epochs=5, lr=1e-3),
    _method("NegGrad.NegGrad", "Golatkar et al., CVPR 2020", "forget", epochs=5, lr=1e-3),
    _method(
        "AdvancedNegGrad.AdvancedNegGrad",
        "Choi and Na, Towards Machine Unlearning Benchmarks, 2023",
        "forget",
        "retain",
        epochs=5,
        lr=1e-3,
    ),
    _method(
        "SuccessiveRandomLabels.SuccessiveRandomLabels",
        "Golatkar et al., CVPR 2020",
        "forget",
        "retain",
        epochs=5,
        lr=1e-3,
    ),
    _method(
        "BadTeaching.BadTeaching",
        "Chundawat et al., AAAI 2023",
        "forget",
        "retain",
        "fresh_model",
        epochs=5,
        lr=1e-3,
        KL_temperature=1.0,
    ),
    _method(
        "Scrub.Scrub", "Kurmanji et al., NeurIPS 2023", "forget", "retain", epochs=1, lr=1e-3, T=4.0
    ),
    _method(
        "UNSIR.UNSIR",
        "Tarun et al., TNNLS 2023, as changed by Choi and Na, 2023",
        "forget",
        "retain",
        epochs=1,
        lr=1e-3,
        noise_lr=0.01,
    ),
    _method(
        "SelectiveSynapticDampening.SelectiveSynapticDampening",
        "Foster et al., AAAI 2024",
        "forget",
        "retain",
        dampening_constant=0.1,
        selection_weighting=10.0,
    ),
    _method(
        "eu_k.eu_k",
        "Goel et al., Towards Adversarial Evaluations for Inexact Machine Unlearning, 2022",
        "retain",
        epochs=5,
        lr=1e-3,
        last_trainable_layers=1,
    ),
    _method(
        "FisherForgetting.FisherForgetting",
        "Golatkar et al., CVPR 2020",
        "retain",
        alpha=1e-6,
        ff_epochs=1000,
    ),
)
