"""`load_original`: a pretrained original from the Hub, a folder or a file, whatever its layout."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from benchmark_adapters.command_line.without_tokens import Token
from benchmark_adapters.originals.checkpoints import CONFIG, FORMAT, CheckpointConfig
from benchmark_adapters.originals.layouts import (
    PROCESSOR,
    Facts,
    completed,
    facts_of,
    is_transformers,
    parsed,
)
from benchmark_adapters.originals.places import (
    Files,
    licence,
    licence_text,
    opened,
    optional,
    weights_file,
)
from benchmark_adapters.originals.weight_files import (
    Weights,
    first_few,
    load_weights,
    read_weights,
    rounded,
)
from benchmark_adapters.originals.wrappings import without_wrappings
from suli_plugin.randomness import seeded


@dataclass(frozen=True)
class LoadedOriginal:
    """A pretrained original, in evaluation mode on the CPU, and where it comes from.

    config: architecture, options, num_classes, classes, mean, std, input_size, license and
    training, as `CheckpointConfig` explains them. source: as asked for, without the revision.
    commit: 40 hexadecimal digits, None for a folder or file. weights_file: its name. sha256: of
    that file. licence_text, processor_text: the licence and the image processor of transformers
    beside the weights, to be handed on with them.
    notes: how the weights were read, where that is not what everyone would expect.
    """

    model: nn.Module
    config: CheckpointConfig
    source: str
    commit: str | None
    weights_file: str
    sha256: str
    licence_text: str | None = None
    processor_text: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def fresh_model(self) -> Callable[[], nn.Module]:
        """Makes an untrained twin, initialised from the global random state."""
        return self.config.build

    def provenance(self) -> dict[str, str | None]:
        """What names these weights for good, JSON-able."""
        return {
            "source": self.source,
            "commit": self.commit,
            "weights_file": self.weights_file,
            "sha256": self.sha256,
        }


def load_original(
    source: str | os.PathLike[str],
    *,
    revision: str | None = None,
    architecture: str | None = None,
    options: Mapping[str, Any] | None = None,
    num_classes: int | None = None,
    classes: Sequence[str] | None = None,
    sha256: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    token: Token = None,
) -> LoadedOriginal:
    """Load an original strictly: every weight fits, nothing is left over, no code is run.

    source: a folder, a file of weights, or `org/name` or `org/name@revision` on the Hub; a folder
    or file that exists comes first. Layouts: ours (see `save_checkpoint`), timm's (and that of
    edadaltocg/resnet18_cifar10), transformers' image classifiers, CIFAR ResNets (`.th`), and any
    other state dict whose architecture is named, whatever it is wrapped in. revision: branch,
    tag or commit, resolved to its commit once. architecture, options, num_classes, classes (their
    names by output), mean, std: for what the layout does not say, or says wrongly; num_classes is
    seen from the last layer whose outputs are the classes, mean and std from a layer that
    normalises before the network. sha256: the hash that the file of weights must have. token: for
    the Hub (default: the one that is logged in; False: none).
    Raises ValueError, in one line, for whatever cannot be had, verified, understood or loaded.
    """
    files, name = opened(source, revision, token)
    given: Facts = {"architecture": architecture, "options": options, "num_classes": num_classes}
    given |= {
        key: None if values is None else tuple(values)
        for key, values in (("mean", mean), ("std", std), ("classes", classes))
    }
    try:
        return _loaded(files, name, given, sha256)
    except ValueError as error:
        # Every reason is about these files; say which.
        raise ValueError(f"cannot load {files.where}: {error}") from error


def _loaded(files: Files, source: str, given: Facts, sha256: str | None) -> LoadedOriginal:
    said = {key: value for key, value in given.items() if value is not None}
    document = parsed(optional(files, CONFIG), CONFIG)
    facts = _facts(files, document, said)
    name = weights_file(files)
    weights = read_weights(files.read(name), name, sha256=_checked_hash(sha256))
    native = is_transformers(document) and "architecture" not in said
    notes: tuple[str, ...] = ()
    if not native and FORMAT not in document:
        facts, weights, notes = without_wrappings(facts, weights)
    facts = completed(facts, weights)
    facts.setdefault("license", licence(files))
    config = _config(facts)
    _check_classes(config, weights)
    processor = optional(files, PROCESSOR)
    model = _model(config, weights, native)
    return LoadedOriginal(
        model=model,
        config=config,
        source=source,
        commit=files.commit,
        weights_file=name,
        sha256=weights.sha256,
        licence_text=licence_text(files),
        processor_text=None if processor is None else processor.decode(errors="replace"),
        notes=(*notes, *_precision(weights, model)),
    )


def _facts(files: Files, document: Facts, said: Facts) -> Facts:
    """What config.json says, corrected by the caller; an architecture that is named is known."""
    from suli_plugin.plugins import registry

    processor = parsed(optional(files, PROCESSOR), PROCESSOR)
    try:
        facts = facts_of(document, processor)
    except ValueError as error:
        raise ValueError(f"{CONFIG}: {error}") from error
    if "architecture" in said:
        facts.pop("options", None)
    facts |= said
    if "architecture" in facts:
        # Said before weights are fetched.
        registry().architecture(str(facts["architecture"]))
    return facts


def _config(facts: Facts) -> CheckpointConfig:
    for names, remedy in (
        (("num_classes",), "num_classes="),
        (("mean", "std"), "mean= and std= (per channel, for pixels from 0 to 1)"),
    ):
        if any(name not in facts for name in names):
            raise ValueError(f"nothing here says its {' and '.join(names)}: pass {remedy}")
    classes, outputs = facts.get("classes"), facts["num_classes"]
    if classes is not None and len(classes) != outputs:
        raise ValueError(
            f"{len(classes)} classes are named, and it has {outputs}: pass {outputs} names, in the "
            f"order of the outputs, with classes="
        )
    return CheckpointConfig(**facts)


def _check_classes(config: CheckpointConfig, weights: Weights) -> None:
    """Before anything of that size is made."""
    if not any(config.num_classes in value.shape[:1] for value in weights.state.values()):
        raise ValueError(
            f"it should have {config.num_classes} classes, but none of its weights has "
            f"{config.num_classes} outputs"
        )


def _model(config: CheckpointConfig, weights: Weights, native: bool) -> nn.Module:
    with seeded(0, torch.device("cpu")):
        model = config.build()
        if native:
            from benchmark_adapters.architectures.libraries import transformers_loaded

            model = transformers_loaded(model, weights.state)
        else:
            load_weights(model, weights, f"{config.architecture} with {config.num_classes} classes")
    return model.eval()


def _precision(weights: Weights, model: nn.Module) -> Iterator[str]:
    nearly = rounded(weights, model)
    if nearly:
        yield (
            f"{first_few(nearly)} of the original: double precision, which float32 keeps only "
            f"nearly"
        )


def _checked_hash(sha256: str | None) -> str | None:
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise ValueError(f"a sha256 has 64 hexadecimal digits, got {sha256!r}")
    return sha256
