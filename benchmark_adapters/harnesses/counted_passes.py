"""What a harness's own loop costs: the samples that its models forward and backward, by kind.

A hook on the model sees every call, whoever makes it, and copies of the model keep it. The rows of
a batch say their kind by an attribute of its tensor; what a loop computes itself (noise, say) is
`synthetic`. A backward pass over part of a batch goes through the whole of it, and counts so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils.data import default_collate

from suli_plugin.session import Session

_KINDS = "_kinds_of_rows"
Hook = Callable[[nn.Module, tuple[Any, ...], Any], None]


def of_kind(image: Tensor, kind: str) -> Tensor:
    """The image, which from here on says of which set it is."""
    setattr(image, _KINDS, [kind])
    return image


def with_kinds(rows: Sequence[tuple[Any, ...]]) -> Any:
    """`default_collate`, the batch of images saying of which sets its rows are."""
    batch = default_collate(list(rows))
    setattr(batch[0], _KINDS, [kind for row in rows for kind in getattr(row[0], _KINDS)])
    return batch


def count_passes(model: nn.Module, session: Session) -> Hook:
    """Count the calls of the model, of its copies and of what `session.fresh_model` makes."""
    hook = _counting(session)
    model.register_forward_hook(hook)
    make = session.granted.get("fresh_model")
    if make is not None:
        session.granted["fresh_model"] = lambda: _hooked(make(), hook)
    return hook


def without_hook(model: nn.Module, hook: Hook) -> nn.Module:
    """The model, no longer counted; a copy of a counted one brought the hook along."""
    for key in [key for key, each in model._forward_hooks.items() if each is hook]:
        del model._forward_hooks[key]
    return model


def _hooked(model: nn.Module, hook: Hook) -> nn.Module:
    model.register_forward_hook(hook)
    return model


def _counting(session: Session) -> Hook:
    def count(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        kinds = Counter(getattr(inputs[0], _KINDS, ["synthetic"] * len(inputs[0])))
        session.passes.add(kinds)
        logits = session.logits_of(output)
        if logits.requires_grad:
            logits.register_hook(lambda gradient: session.passes.add(kinds, forward=0, backward=1))

    return count
