"""The one seam between a model's output and its logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

LogitsOf = Callable[[Any], Tensor]


def logits_of(output: Any) -> Tensor:
    """Logits (B, K) of a model's output: a tensor, or an object with `.logits`.

    Anything else (a tuple of features and logits, say) needs a function of the caller's own,
    passed as `logits_of=`. Raises TypeError for it.
    """
    logits = getattr(output, "logits", output)
    if not isinstance(logits, Tensor):
        raise TypeError(
            f"the model returned {type(output).__name__}, expected logits (B, K) or an object "
            f"with .logits; pass logits_of=, for example `logits_of=lambda output: output[1]`"
        )
    return logits
