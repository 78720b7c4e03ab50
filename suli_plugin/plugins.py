"""Find plugins, load each alone, and collect and verify what they register."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import TYPE_CHECKING, Any

import pluggy

from suli_plugin import hookspecs
from suli_plugin.hookspecs import PROJECT

if TYPE_CHECKING:
    import click
    from torch import nn

    from suli_plugin.benchmark import Benchmark
    from suli_plugin.unlearner import Scope, Unlearner

    Architecture = Callable[..., nn.Module]

COMMANDS = f"{PROJECT}.commands"
BLOCK = "SULI_BLOCK_PLUGINS"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Origin:
    """The entry point that something came from."""

    plugin: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"plugin {self.plugin!r} of {self.distribution} {self.version}"


@dataclass(frozen=True)
class Harness:
    """Another benchmark that our methods run in, and whose methods may run in ours.

    version: what is installed, None if nothing is. hint: how to install it. sees: the names that
    our methods have there.
    """

    name: str
    version: str | None
    hint: str
    sees: Callable[[], Sequence[str]]


@dataclass(frozen=True)
class PluginReport:
    """What became of one entry point: `loaded`, `blocked` or `failed` with the reason."""

    origin: Origin
    group: str
    state: str
    reason: str = ""
    unlearners: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    harnesses: tuple[Harness, ...] = ()


@dataclass
class Registry:
    """Everything that was registered, by name, with where it came from.

    origins: of unlearners and benchmarks. architecture_origins: apart, since an architecture may
    be named as a method or a benchmark is.
    """

    unlearners: dict[str, type[Unlearner]] = field(default_factory=dict)
    benchmarks: dict[str, type[Benchmark]] = field(default_factory=dict)
    architectures: dict[str, Architecture] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    architecture_origins: dict[str, Origin] = field(default_factory=dict)
    reports: list[PluginReport] = field(default_factory=list)

    def labels(self) -> list[str]:
        """Every method, alone and with each of its presets, as `method` and `method@preset`."""
        return [
            label
            for name, cls in self.unlearners.items()
            for label in (name, *(f"{name}@{preset}" for preset in cls.presets()))
        ]

    def unlearner(
        self, label: str, scope: Scope, settings: Mapping[str, Any] | None = None
    ) -> Unlearner:
        """The unlearner of a label, `method` or `method@preset`. settings: over its defaults.

        Raises ValueError for an unknown method, preset or hyper-parameter, naming the known ones.
        """
        name, _, preset = label.partition("@")
        cls = self._known(self.unlearners, name, "method")
        made: Unlearner = cls.preset(preset, scope) if preset else cls()
        fields = [field_.name for field_ in dataclasses.fields(made)]
        for setting in settings or {}:
            if setting not in fields:
                raise ValueError(
                    f"{name} has no hyper-parameter {setting!r}; it has: {', '.join(fields)}"
                )
        return dataclasses.replace(made, **(settings or {}))

    def benchmark(self, name: str) -> type[Benchmark]:
        """The benchmark of that name. Raises ValueError for an unknown one."""
        return self._known(self.benchmarks, name, "benchmark")

    def architecture(self, name: str) -> Architecture:
        """The factory of an architecture, `net` or `family/variant`.

        Raises ValueError for an unknown name or family, naming the known ones.
        """
        family, slash, variant = name.partition("/")
        if not slash or not variant:
            return self._known(self.architectures, name.rstrip("/"), "architecture")
        if f"{family}/" not in self.architectures:
            return self._known(self.architectures, name, "architecture")
        return partial(self.architectures[f"{family}/"], variant=variant)

    def _known(self, table: dict[str, Any], name: str, what: str) -> Any:
        if name not in table:
            known = ", ".join(sorted(table))
            failed = [str(report.origin) for report in self.reports if report.state == "failed"]
            hint = f"; not loaded: {', '.join(failed)} (see `suli plugins`)" if failed else ""
            raise ValueError(f"unknown {what} {name!r}; known: {known}{hint}")
        return table[name]


@lru_cache(maxsize=1)
def registry() -> Registry:
    """All installed plugins, loaded once a process; a broken one is reported, not raised."""
    return load_plugins()


def load_plugins(*, strict: bool = False) -> Registry:
    """Load every entry point of the group `suli_plugin`, each on its own.

    A plugin that fails to import or to verify, or registers a taken name, brings nothing; the
    others work. strict: raise its ValueError instead. Names in the environment variable
    SULI_BLOCK_PLUGINS (comma-separated) are not loaded.
    """
    found = Registry()
    for origin, entry_point in _entry_points(PROJECT):
        found.reports.append(_load(found, origin, entry_point, strict))
    return found


def load_commands(cli: click.Group) -> list[PluginReport]:
    """Let every entry point of the group `suli_plugin.commands` add its commands."""
    reports = []
    for origin, entry_point in _entry_points(COMMANDS):
        reports.append(_guarded(origin, entry_point, lambda hook: hook.register_commands(cli=cli)))
    return reports


def _load(found: Registry, origin: Origin, entry_point: EntryPoint, strict: bool) -> PluginReport:
    unlearners: dict[str, Any] = {}
    benchmarks: dict[str, Any] = {}
    architectures: dict[str, Any] = {}
    harnesses: list[Harness] = []

    def collect(hook: Any) -> None:
        from suli_plugin.benchmark import Benchmark
        from suli_plugin.unlearner import Unlearner

        hook.register_unlearners(
            register=_collector(unlearners, found.unlearners, Unlearner, found)
        )
        hook.register_benchmarks(
            register=_collector(benchmarks, found.benchmarks, Benchmark, found)
        )
        hook.register_architectures(register=_architecture_collector(architectures, found))
        hook.register_harnesses(register=harnesses.append)

    report = _guarded(origin, entry_point, collect, strict)
    if report.state == "loaded":
        found.unlearners.update(unlearners)
        found.benchmarks.update(benchmarks)
        found.architectures.update(architectures)
        found.origins.update(dict.fromkeys([*unlearners, *benchmarks], origin))
        found.architecture_origins.update(dict.fromkeys(architectures, origin))
        return PluginReport(
            origin,
            PROJECT,
            "loaded",
            unlearners=tuple(unlearners),
            benchmarks=tuple(benchmarks),
            architectures=tuple(architectures),
            harnesses=tuple(harnesses),
        )
    return report


def _guarded(
    origin: Origin, entry_point: EntryPoint, use: Callable[[Any], None], strict: bool = False
) -> PluginReport:
    """Load one plugin into a manager of its own (pluggy itself isolates nothing) and use it."""
    if origin.plugin in _blocked():
        return PluginReport(origin, entry_point.group, "blocked", f"named in {BLOCK}")
    try:
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(hookspecs)
        manager.register(entry_point.load(), name=origin.plugin)
        manager.check_pending()
        use(manager.hook)
    except (Exception, SystemExit) as error:
        # Whatever a stranger's module raises, an exit included, must not stop the others.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        if strict:
            raise ValueError(f"{origin} was not loaded: {reason}") from error
        return PluginReport(origin, entry_point.group, "failed", reason)
    return PluginReport(origin, entry_point.group, "loaded")


def _collector(
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


def _architecture_collector(
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


def _entry_points(group: str) -> list[tuple[Origin, EntryPoint]]:
    """Entry points of a group with their distributions; ours first, then by name."""
    found: dict[tuple[str, str], tuple[Origin, EntryPoint]] = {}
    for distribution in distributions():
        for entry_point in distribution.entry_points:
            if entry_point.group == group:
                origin = _origin(distribution, entry_point)
                # The same distribution can be on the path twice; the first one is imported.
                found.setdefault((origin.distribution, entry_point.name), (origin, entry_point))
    return sorted(found.values(), key=lambda pair: (not _is_ours(pair[0]), str(pair[0])))


def _origin(distribution: Distribution, entry_point: EntryPoint) -> Origin:
    return Origin(entry_point.name, distribution.metadata["Name"], distribution.version)


def _is_ours(origin: Origin) -> bool:
    return origin.distribution.replace("_", "-").lower() == "suli-plugin"


def _blocked() -> set[str]:
    return {name.strip() for name in os.environ.get(BLOCK, "").split(",")} - {""}
