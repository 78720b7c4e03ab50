"""The last layers of a network: what is trained, or kept, apart from all before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.conv import _ConvNd


def last_layers(model: nn.Module, count: int) -> list[nn.Module]:
    """The last `count` linear and convolutional layers and what of weights follows each.

    In the order in which they are defined, which is that of a forward pass in every network that
    we know of; what follows a layer is its normalisation. As many as `len(weighted_layers(model))`
    are the whole network, what precedes the first of them included: a transformer's class token
    and the embedding of positions. Raises ValueError where there are fewer, or `count` is below 1.
    """
    weighted = weighted_layers(model)
    if not 1 <= count <= len(weighted):
        raise ValueError(
            f"the last {count} layers were asked for, but the model has {len(weighted)} linear "
            f"and convolutional layers"
        )
    leaves = [module for module in model.modules() if _own_state(module)]
    return leaves if count == len(weighted) else leaves[leaves.index(weighted[-count]) :]


def weighted_layers(model: nn.Module) -> list[nn.Module]:
    """The linear and convolutional layers, in the order in which they are defined."""
    return [module for module in model.modules() if isinstance(module, (nn.Linear, _ConvNd))]


def parameters_of(modules: Iterable[nn.Module]) -> Iterator[nn.Parameter]:
    """The parameters of these modules themselves, not of those inside them."""
    for module in modules:
        yield from module.parameters(recurse=False)


@contextmanager
def trained_alone(parameters: Iterable[nn.Parameter], model: nn.Module) -> Iterator[None]:
    """Within the block no other parameter of the model has a gradient."""
    own = {id(parameter) for parameter in parameters}
    frozen = [p for p in model.parameters() if p.requires_grad and id(p) not in own]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)


def _own_state(module: nn.Module) -> bool:
    """Whether the module itself has parameters or buffers."""
    return any(True for _ in (*module.parameters(recurse=False), *module.buffers(recurse=False)))
