"""What an audit has made, kept by what it was made of: killed and started again, it goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.observation_file import packed_observation, unpacked_observation
from benchmark_adapters.records.evidence import (
    FEATURES_SUFFIX,
    LOGITS_SUFFIX,
    MODEL_SUFFIX,
    load_unlearned,
    packed_logits,
    read_logits,
)
from benchmark_adapters.records.record import canonical, write_atomically
from suli_plugin.evaluation import Predictions
from suli_plugin.images import ImageSet
from suli_plugin.randomness import seeded


class Kept:
    """Weights and observations in a folder; without one, everything is made anew."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def model(
        self,
        name: str,
        made_of: Mapping[str, Any],
        fresh_model: Callable[[], nn.Module],
        make: Callable[[], nn.Module],
    ) -> nn.Module:
        """The model that is kept for what it is made of (JSON-able), or the one that `make` makes.

        fresh_model: makes one of its architecture.
        """
        stem = self._stem(name, made_of)
        if stem is None:
            return make()
        path = stem.parent / (stem.name + MODEL_SUFFIX)
        if path.is_file():
            try:
                with seeded(0, torch.device("cpu")):
                    return load_unlearned(path, None, fresh_model()).eval()
            except ValueError:
                # Not whole any more: made anew.
                path.unlink()
        model = make()
        state = {key: value.detach().cpu().contiguous() for key, value in _state(model).items()}
        write_atomically(path, safetensors.torch.save(state))
        return model

    def observation(
        self,
        name: str,
        made_of: Mapping[str, Any],
        sets: Mapping[str, ImageSet],
        classes: tuple[int, ...],
        make: Callable[[], Observation],
    ) -> Observation:
        """The same of what was observed in a model."""
        stem = self._stem(name, made_of)
        if stem is None:
            return make()
        logits, features = (
            stem.parent / (stem.name + suffix) for suffix in (LOGITS_SUFFIX, FEATURES_SUFFIX)
        )
        if logits.is_file() and features.is_file():
            try:
                found = read_logits(logits)
                answers = {key: Predictions(found[key], of.labels) for key, of in sets.items()}
                return unpacked_observation(features.read_bytes(), answers, classes, str(features))
            except (KeyError, ValueError):
                # Made anew, below.
                features.unlink()
        seen = make()
        write_atomically(logits, packed_logits({n: of.logits for n, of in seen.answers.items()}))
        write_atomically(features, packed_observation(seen))
        return seen

    def audit(self, made_of: Mapping[str, Any], make: Callable[[], CaseAudit]) -> CaseAudit:
        """The same of the audit of all models."""
        stem = self._stem("audit", made_of)
        if stem is None:
            return make()
        path = stem.parent / f"{stem.name}.json"
        try:
            return CaseAudit.of(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            # Not there yet, or not whole.
            audit = make()
        write_atomically(path, json.dumps(audit.as_dict(), allow_nan=False))
        return audit

    def _stem(self, name: str, made_of: Mapping[str, Any]) -> Path | None:
        if self._folder is None:
            return None
        digest = hashlib.sha256(canonical(dict(made_of)).encode()).hexdigest()
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{name}-{digest[:16]}"


def _state(model: nn.Module) -> dict[str, torch.Tensor]:
    # A copy each: safetensors refuses tensors that share memory.
    return {name: value.clone() for name, value in model.state_dict().items()}
