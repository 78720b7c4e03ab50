"""Forward passes through `torch.compile`, where the accelerator asks for it.

Accelerate carries the wish as it carries the precision (`Accelerator(dynamo_backend="inductor")`).
Only what a method computes is compiled. Scores are those of the model as it is, and the model
itself is never wrapped: its weights keep their names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from suli_plugin.batch_norm import SPARING

INDUCTOR = "inductor"
"""torch's own compiler, which a command's `--compile` asks for."""


def compiled_by(accelerator: Accelerator) -> str | None:
    """The name of the compiler that the accelerator asks for, None for none."""
    backend = str(accelerator.state.dynamo_plugin.backend.value).lower()
    return None if backend == "no" else backend


def made_accelerator(precision: str, compiler: str | None, *, cpu: bool = False) -> Accelerator:
    """An accelerator of this precision and compiler. cpu: whether it must be one.

    compiler: None for what Accelerate's own configuration says, `no` for none.
    """
    rounded = torch.backends.cuda.matmul.allow_tf32
    made = Accelerator(cpu=cpu, mixed_precision=precision, dynamo_backend=compiler)
    # Accelerate has products rounded where it compiles, scores among them.
    torch.backends.cuda.matmul.allow_tf32 = rounded
    return made


def check_compiler(accelerator: Accelerator) -> None:
    """Compile one small function. Raises ValueError that names what is missing for it."""
    try:
        small = torch.compile(_small, **_options(accelerator))
        small(torch.ones(8, device=accelerator.device))
    except Exception as error:
        # The compiler raises what it meets, wrapped in errors of its own.
        cause = error.__cause__ or error
        first = (str(cause) or type(cause).__name__).splitlines()[0]
        raise ValueError(f"torch.compile can't be used here: {first}") from error


class ForwardPasses:
    """Calls models, compiled if the accelerator asks for it; each is compiled once a run.

    As they are, all the same, come: batches of one, whose BatchNorm may need running statistics;
    models that somebody watches, because hooks that come and go are not seen by what was compiled
    without them; and what is differentiated twice (the caller's to say), which no compiler does.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.compiler = compiled_by(accelerator)
        self._options = _options(accelerator)
        self._compiled: dict[nn.Module, Callable[[Tensor], Any]] = {}

    def __call__(self, model: nn.Module, images: Tensor) -> Any:
        """The model's output for images (B, C, H, W), normalised, in the model's memory layout."""
        if self.compiler is None or len(images) == 1 or _watched(model):
            return model(images)
        if model not in self._compiled:
            self._compiled[model] = torch.compile(model, **self._options)
        return self._compiled[model](images)


def _options(accelerator: Accelerator) -> dict[str, Any]:
    options: dict[str, Any] = accelerator.state.dynamo_plugin.to_kwargs()
    return options


def _watched(model: nn.Module) -> bool:
    hooks = (
        hook
        for module in model.modules()
        for own in (module._forward_pre_hooks, module._forward_hooks)
        for hook in own.values()
    )
    return any(hook not in SPARING for hook in hooks)


def _small(values: Tensor) -> Tensor:
    return values * 2 + 1
