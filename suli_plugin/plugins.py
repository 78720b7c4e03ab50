"""Find plugins, and load each alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import TYPE_CHECKING, Any

import pluggy

from suli_plugin import hookspecs
from suli_plugin.harness import Harness
from suli_plugin.hookspecs import PROJECT
from suli_plugin.registration import architecture_collector, class_collector
from suli_plugin.registry import Origin, PluginReport, Registry

if TYPE_CHECKING:
    import click

COMMANDS = f"{PROJECT}.commands"
BLOCK = "SULI_BLOCK_PLUGINS"


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
            register=class_collector(unlearners, found.unlearners, Unlearner, found)
        )
        hook.register_benchmarks(
            register=class_collector(benchmarks, found.benchmarks, Benchmark, found)
        )
        hook.register_architectures(register=architecture_collector(architectures, found))
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
