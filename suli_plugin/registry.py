"""`Registry`: what all plugins registered, by name, and where each came from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from suli_plugin.harness import Harness

if TYPE_CHECKING:
    from torch import nn

    from suli_plugin.benchmark import Benchmark
    from suli_plugin.unlearner import Scope, Unlearner

    Architecture = Callable[..., nn.Module]


CHOSEN = "chosen"
"""`METHOD@chosen`: the method with what `suli bench tune` chose for it on a benchmark, the same
number of trials and passes for every method. Not a preset: each benchmark has choices of its own
(`Benchmark.choices`), and the label means nothing apart from one, or from a record's fields.
(`suli@tuned` is a preset: an earlier choice, of SULI alone.)
"""


def without_choice(label: str) -> str:
    """`METHOD` of `METHOD@chosen`; any other label as it is."""
    return label.removesuffix(f"@{CHOSEN}")


@dataclass(frozen=True)
class Origin:
    """The entry point that something came from."""

    plugin: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"plugin {self.plugin!r} of {self.distribution} {self.version}"


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

        Raises ValueError for an unknown method, preset or hyper-parameter, naming the known ones,
        and for `method@chosen` (see `CHOSEN`) without settings for all fields.
        """
        name, _, preset = without_choice(label).partition("@")
        cls = self._known(self.unlearners, name, "method")
        made: Unlearner = cls.preset(preset, scope) if preset else cls()
        fields = [field_.name for field_ in dataclasses.fields(made)]
        for setting in settings or {}:
            if setting not in fields:
                raise ValueError(
                    f"{name} has no hyper-parameter {setting!r}; it has: {', '.join(fields)}"
                )
        _demand_a_choice(label, made, settings or {})
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


def _demand_a_choice(label: str, made: Unlearner, settings: Mapping[str, Any]) -> None:
    """A record, or a choice, may lack what was added later; it was run with the default."""
    if without_choice(label) == label:
        return
    wanted = [f.name for f in dataclasses.fields(made) if not f.metadata.get("added_later")]
    if not set(wanted) <= set(settings):
        raise ValueError(
            f"{label} is what `suli bench tune` chose for {made.name} on a benchmark, and there is "
            f"no such choice here; run {made.name}, one of its presets, or a benchmark with choices"
        )
