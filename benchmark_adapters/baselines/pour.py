"""POUR-D: the encoder learns to make features without the forgotten rows of the head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from benchmark_adapters.baselines.head_projection import HeadProjection, forgotten_directions
from benchmark_adapters.baselines.last_layer import forgotten_rows, last_layer
from suli_plugin.batch_norm import BATCH_NORM, BatchNorm
from suli_plugin.feature_terms import FeatureLoss, feature_term
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch
from suli_plugin.last_layers import trained_alone
from suli_plugin.optimizers import Adam
from suli_plugin.rounds import Round
from suli_plugin.session import Session
from suli_plugin.stopping import Stop
from suli_plugin.unlearner import Resource, Scope


@dataclass(frozen=True, kw_only=True)
class Pour(ForgetOnly):
    """Minimise |z_s(x) - P z_o(x)|^2 over forget images x, with P = I - w w' / |w|^2.

    z_s, z_o: the features that the model and the frozen original give the head; w: the forgotten
    row of the head. Of several forgotten classes, now or earlier, P projects the span of their
    rows out. z_o is that of the image itself, also where z_s is that of an augmented view. The
    head stays bitwise as it is, so that with a loss of 0 forget images are answered as by the
    control `head_projection` (POUR-P), which changes the head instead; behind a ReLU, though,
    features are never negative, and P z_o may be.

    A reconstruction, from notes on the paper, whose code is not public: the loss and P are its
    own. Not known, so that there is no preset, are optimiser, rate and epochs (here SU's), what
    becomes of the head (here frozen, because only the encoder is said to learn) and of BatchNorm
    (here frozen: statistics of forget images alone would change the features of all others). It
    is not stopped when the class is no longer predicted: features are what it is after.
    """

    name: ClassVar[str] = "pour"
    paper: ClassVar[str] = "Le et al., POUR (POUR-D), CVPR 2026, arXiv 2511.19339"
    bibtex: ClassVar[str] = HeadProjection.bibtex
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {"class-wise": frozenset({"forget"})}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
        "batch_norm": BATCH_NORM,
        "batch_size": (64, 256),
    }

    epochs: int = field(default=10, metadata=bounds(at_least=0))
    batch_size: int = field(default=256, metadata=bounds(at_least=1))
    lr: float = field(default=1e-4, metadata=bounds(at_least=0))
    stop: Stop = "never"
    batch_norm: BatchNorm = "frozen"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        before = session.predict(model, session.forget, features=True)
        head = last_layer(model, session)
        features: Tensor = before.features  # type: ignore[assignment]  # asked for
        targets = projected_features(features, head, forgotten_rows(model, session))
        left = targets.square().sum() / features.square().sum().clamp(min=1e-30)
        session.notes["projected_out"] = 1 - float(left)
        own = {id(parameter) for parameter in head.parameters()}
        with trained_alone((p for p in model.parameters() if id(p) not in own), model):
            session.train(
                model,
                self._epochs(model, _distance(targets), session),
                self._optimizer,
                batch_norm=self.batch_norm,
                stop=session.stop_rule(model, self.stop, before=before),
            )
        return model

    def _epochs(self, model: nn.Module, loss: FeatureLoss, session: Session) -> Iterator[Round]:
        for _ in range(self.epochs):
            batches = session.shuffled(session.forget, self.batch_size)
            yield Round([[feature_term(model, session.forget, p, loss)] for p in batches])

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return Adam(parameters, lr=self.lr)


def projected_features(features: Tensor, head: nn.Linear | nn.Conv2d, rows: list[int]) -> Tensor:
    """P z of each row of features, float32 (N, D), on their device.

    Raises ValueError where the head takes other features than these.
    """
    weight = head.weight.detach().cpu().double().flatten(1)
    if weight.shape[1] != features.shape[1]:
        raise ValueError(
            f"pour projects rows of the head out of the features, but the last nn.Linear or "
            f"nn.Conv2d takes {weight.shape[1]} of them and the one that runs last gets "
            f"{features.shape[1]}"
        )
    basis = forgotten_directions(weight, rows).to(features)
    return features - features @ basis.T @ basis


def _distance(targets: Tensor) -> FeatureLoss:
    def loss(features: Tensor, logits: Tensor, batch: Batch) -> Tensor:
        wanted = targets[batch.positions].to(features.device, non_blocking=True)
        return (features - wanted).square().sum(1)

    return loss
