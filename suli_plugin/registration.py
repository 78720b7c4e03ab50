"""What a plugin registers is verified, then collected."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from suli_plugin.registry import Registry

if TYPE_CHECKING:
    from suli_plugin.registry import Architecture

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def class_collector(
    own: dict[str, Any], taken: dict[str, Any], contract: type, found: Registry
) -> Callable[[type], None]:
    """The callback that a plugin calls: verify, then collect."""

    def register(cls: type) -> None:
        name = _verified(cls, contract)
        if name in own or name in taken:
            owner = f" by {found.origins[name]}" if name in taken else " by itself"
            raise ValueError(f"the name {name!r} is taken{owner}")
        own[name] = cls

    return register


def architecture_collector(
    own: dict[str, Any], found: Registry
) -> Callable[[str, Architecture], None]:
    """The callback for architectures: verify name and factory, then collect."""

    def register(name: str, factory: Architecture) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name.removesuffix("/")):
            raise ValueError(
                f"an architecture is named by a lower-case identifier (a family: and `/`), "
                f"got {name!r}"
            )
        _check_factory(name, factory)
        if name in own or name in found.architectures:
            owner = found.architecture_origins.get(name, "itself")
            raise ValueError(f"the architecture {name!r} is taken by {owner}")
        own[name] = factory

    return register


def _check_factory(name: str, factory: Architecture) -> None:
    """Raise TypeError if the factory cannot be called as it will be."""
    if not callable(factory):
        raise TypeError(f"the factory of {name!r} must be callable, got {factory!r}")
    options = {"variant": "name"} if name.endswith("/") else {}
    try:
        inspect.signature(factory).bind(10, **options)
    except TypeError as error:
        wanted = ", variant=..." if options else ""
        raise TypeError(
            f"the factory of {name!r} must take (num_classes{wanted}, **options): {error}"
        ) from error


def _verified(cls: type, contract: type) -> str:
    """The name of a class that keeps the contract. Raises TypeError or ValueError if not."""
    if not (isinstance(cls, type) and issubclass(cls, contract)):
        raise TypeError(f"expected a subclass of {contract.__name__}, got {cls!r}")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise TypeError(f"{cls.__name__} does not implement {missing}")
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name.replace("-", "_")):
        raise ValueError(f"{cls.__name__}.name must be a lower-case identifier, got {name!r}")
    return name
