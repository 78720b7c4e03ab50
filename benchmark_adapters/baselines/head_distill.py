"""Control `head_distill`: SU on the last layer alone.

Not a method. Outputs are adjusted as SU adjusts them, while the features that they are made of
stay the original's.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchmark_adapters.baselines.last_layer import last_layer
from suli_plugin.batch_norm import BatchNorm
from suli_plugin.cost import Passes
from suli_plugin.features import NoFeatures
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import ImageSet
from suli_plugin.last_layers import trained_alone
from suli_plugin.logits import logits_of
from suli_plugin.request import Resource
from suli_plugin.session import Session
from suli_plugin.su import SU

Layer = nn.Linear | nn.Conv2d


@dataclass(frozen=True, kw_only=True)
class HeadDistill(ForgetOnly):
    """SU's targets and loss; all layers but the last are frozen, BatchNorm's statistics too.

    What the last layer gets to see is then constant. It is computed once, in evaluation mode (no
    dropout), and the layer is trained on it; counted are passes of the whole network alone: one
    forward of the forget set and, where the stop rule asks for it, one of the reference set. Every
    epoch passes the whole network where forget images are augmented, BatchNorm is not frozen, or
    the logits are not what the last layer makes of its features (averaged before a convolution).

    lr: of Adam; on digits a tenth of it did not forget a class within the epochs.
    """

    name: ClassVar[str] = "head_distill"
    paper: ClassVar[str] = (
        "control: head distillation, Jeon et al., An Information Theoretic Evaluation Metric For "
        "Strong Unlearning, AAAI 2026, arXiv 2405.17878"
    )
    bibtex: ClassVar[str] = """@inproceedings{jeon2026information,
  title = {An Information Theoretic Evaluation Metric For Strong Unlearning},
  author = {Jeon, Dongjae and Jeung, Wonje and Kim, Taeheon and No, Albert and Choi, Jonghyun},
  booktitle = {Proceedings of the AAAI Conference on Artificial Intelligence},
  eprint = {2405.17878},
  archivePrefix = {arXiv},
  year = {2026}
}"""
    control: ClassVar[bool] = True

    epochs: int = field(default=50, metadata=bounds(at_least=0))
    batch_size: int = field(default=256, metadata=bounds(at_least=1))
    lr: float = field(default=1e-2, metadata=bounds(at_least=0))
    batch_norm: BatchNorm = "frozen"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        su = SU(
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            stop=self.stop,
            batch_norm=self.batch_norm,
        )
        layer = last_layer(model, session)
        constant = self.batch_norm == "frozen" and session.forget.augment is None
        if not (constant and _trained_on_features(su, layer, model, session)):
            with trained_alone(layer.parameters(), model):
                su.unlearn(model, session)
        return model


def _trained_on_features(su: SU, layer: Layer, model: nn.Module, session: Session) -> bool:
    """Train the layer on what it gets to see; False, untrained, where its answers are not all."""
    try:
        forget, logits = _features(model, session.forget, session)
    except NoFeatures:
        return False
    inner = _session_on({"forget": forget}, session)
    if not _makes_the_logits(logits, layer, inner):
        return False
    if "reference" in session.granted:
        inner.granted["reference"], _ = _features(model, session.reference, session)
    su.unlearn(_head(layer), inner)
    session.stop_reason, session.steps_done = inner.stop_reason, inner.steps_done
    return True


def _features(model: nn.Module, images: ImageSet, session: Session) -> tuple[ImageSet, Tensor]:
    """The features as images (N, D, 1, 1), and the logits (N, K) of the same pass."""
    seen = session.predict(model, images, features=True)
    rows = seen.features[:, :, None, None]  # type: ignore[index]  # asked for
    return ImageSet.of_tensors(rows, seen.labels, kind=images.kind), seen.logits


def _session_on(granted: dict[Resource, Any], session: Session) -> Session:
    """The same run, clock, order and history included, but with a count of passes of its own."""
    inner = copy.copy(session)
    inner.granted, inner.passes, inner.logits_of = granted, Passes(), logits_of
    return inner


def _head(layer: Layer) -> nn.Module:
    """The layer itself as a model of features (N, D, 1, 1)."""
    ends = (layer, nn.Flatten()) if isinstance(layer, nn.Conv2d) else (nn.Flatten(), layer)
    return nn.Sequential(*ends)


def _makes_the_logits(logits: Tensor, layer: Layer, session: Session) -> bool:
    """Whether the layer makes the network's logits of the features alone; some are tried."""
    batch = session.forget.batch(torch.arange(len(logits))[:500], session.device)
    if tuple(layer.weight.shape[1:]) not in (batch.images.shape[1:2], batch.images.shape[1:]):
        return False
    with torch.no_grad():
        made = session.forward(_head(layer), batch).cpu()
    expected = logits[:500]
    # Averaged before or after a convolution, numbers of bf16 differ by up to 1/128 of them.
    near = 0.01 * float(expected.abs().max())
    return made.shape == expected.shape and torch.allclose(made, expected, rtol=0, atol=near)
