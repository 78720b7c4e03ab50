"""`run`: one method, one model, one request; everything that must be equal for all methods."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from accelerate import Accelerator
from torch import nn

from suli_plugin.begin import begun, session_for
from suli_plugin.cost import Clock, Seconds
from suli_plugin.divergence import Diverged
from suli_plugin.history import Progress
from suli_plugin.logits import LogitsOf, logits_of
from suli_plugin.over_budget import OverBudget
from suli_plugin.pixel_store import MEMORY_LIMIT
from suli_plugin.randomness import seeded
from suli_plugin.request import ForgetRequest
from suli_plugin.session import Session
from suli_plugin.training import Watch
from suli_plugin.unlearned import DivergedRun, OverBudgetRun, Unlearned
from suli_plugin.unlearner import Unlearner


def run(
    unlearner: Unlearner,
    model: nn.Module,
    request: ForgetRequest,
    *,
    accelerator: Accelerator | None = None,
    seed: int = 0,
    logits_of: LogitsOf = logits_of,
    channels_last: bool | None = None,
    memory_limit: int = MEMORY_LIMIT,
    pass_limit: int | None = None,
    progress: Progress = lambda entry: None,
    watch: Watch = lambda terms: nullcontext(),
) -> Unlearned:
    """Unlearn `request` from a copy of `model`.

    The original stays as it is, the global random state too. accelerator: device, precision and
    processes (default: Accelerate's own). logits_of: from the model's output to logits (B, K).
    channels_last: the memory layout of models and images (default: with bf16, where it is
    faster). memory_limit: bytes above which a dataset is streamed instead of decoded once.
    pass_limit: the run ends before it passes more samples, forward and backward together.
    progress: told each round of training when it is done. watch: entered around every update.
    Raises ValueError or TypeError for a request that the method cannot serve, and, with what there
    was of the run, DivergedRun where a loss or a logit is no longer finite and OverBudgetRun at the
    limit of passes.
    """
    accelerator = accelerator if accelerator is not None else Accelerator()
    session = session_for(unlearner, request, accelerator, seed, logits_of, channels_last)
    session.progress, session.watch = progress, watch
    session.passes.limit = pass_limit
    clock = Clock(accelerator.device)
    with clock.running(), seeded(seed, accelerator.device):
        twin = begun(unlearner, model, request, session, memory_limit)
        ended: Diverged | OverBudget | None = None
        try:
            unlearned = unlearner.unlearn(twin, session)
            # Also what was counted by hand, or refused and passed over.
            session.passes.check()
        except (Diverged, OverBudget) as error:
            unlearned, ended = twin, error
            what = "diverged" if isinstance(error, Diverged) else "over budget"
            session.stop_reason = f"{what}: {error}"
        unlearned = _as_it_came(unlearned, model)
        for name, network in session.by_products.items():
            session.by_products[name] = _as_it_came(network, model)
    result = _result(unlearned, unlearner, session, clock)
    if isinstance(ended, Diverged):
        raise DivergedRun(str(ended), result) from ended
    if ended is not None:
        raise OverBudgetRun(str(ended), result) from ended
    return result


def check(
    unlearner: Unlearner,
    model: nn.Module,
    request: ForgetRequest,
    *,
    accelerator: Accelerator | None = None,
    logits_of: LogitsOf = logits_of,
    memory_limit: int = MEMORY_LIMIT,
) -> None:
    """Raise what `run` would raise before the method begins; for harnesses that swallow errors."""
    accelerator = accelerator if accelerator is not None else Accelerator()
    session = session_for(unlearner, request, accelerator, 0, logits_of, None)
    with seeded(0, accelerator.device):
        begun(unlearner, model, request, session, memory_limit)


def _result(
    unlearned: nn.Module, unlearner: Unlearner, session: Session, clock: Clock
) -> Unlearned:
    accelerator = session.accelerator
    return Unlearned(
        model=unlearned,
        unlearner=unlearner,
        scope=session.scope,
        seed=session.seed,
        stop_reason=session.stop_reason,
        history=tuple(session.history),
        seconds=Seconds(session.update_clock.seconds, clock.seconds),
        passes=session.passes.as_dict(),
        precision=accelerator.mixed_precision,
        processes=accelerator.num_processes,
        device=device_name(accelerator.device),
        notes=session.notes,
        by_products=session.by_products,
        compiled=session.forward_passes.compiler,
    )


def device_name(device: torch.device) -> str:
    """`cpu`, or the accelerator's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _as_it_came(unlearned: nn.Module, original: nn.Module) -> nn.Module:
    """Modes and gradient flags as the original's, memory contiguous, gradients dropped."""
    # What some models computed from earlier weights (see `evaluation_mode`) goes.
    unlearned = unlearned.to(memory_format=torch.contiguous_format).train()
    modes = {name: module.training for name, module in original.named_modules()}
    for name, module in unlearned.named_modules():
        # What the original has not is as the original is as a whole.
        module.training = modes.get(name, original.training)
    for parameter in unlearned.parameters():
        parameter.grad = None
    return unlearned
