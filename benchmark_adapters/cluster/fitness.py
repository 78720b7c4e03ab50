"""Whether a worker can make the cells of a run: it has what the client has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark_adapters.cluster.worker_accelerator import Arithmetic
    from suli_plugin.benchmark import Benchmark
    from suli_plugin.registry import Registry

Names = tuple[str, str, str]


@dataclass(frozen=True)
class Wanted:
    """What a worker must have, in plain values.

    versions: of Python and the libraries; commit: of a checkout, None if it is installed. origins:
    plugin, distribution and version by the name of method or benchmark. case: the fingerprint of
    this scenario and seed. device: the accelerator's name, None for any.
    """

    versions: Mapping[str, str]
    commit: str | None
    benchmark: str
    options: Mapping[str, Any]
    origins: Mapping[str, Names]
    scenario: str
    seed: int
    case: str
    arithmetic: Arithmetic
    device: str | None = None

    def on(self, device: str) -> Wanted:
        """The same on this device alone."""
        return replace(self, device=device)


@dataclass(frozen=True)
class Found:
    """What a worker has. problems: why it gets no cells, none if it does. gpu: as a resource."""

    problems: tuple[str, ...]
    device: str = ""
    gpu: bool = False
    has_nanny: bool = False


def wanted_for(
    methods: Iterable[str],
    scenario: str,
    seed: int,
    benchmark: Benchmark,
    registry: Registry,
    arithmetic: Arithmetic,
) -> Wanted:
    """What the cells of these methods want. scenario, seed: of any of them."""
    from benchmark_adapters.records.provenance import git_commit, versions

    origins = {name: registry.origins[name] for name in sorted({*methods, benchmark.name})}
    return Wanted(
        versions=versions(),
        commit=git_commit(),
        benchmark=benchmark.name,
        options=benchmark.options(),
        origins={n: (of.plugin, of.distribution, of.version) for n, of in origins.items()},
        scenario=scenario,
        seed=seed,
        case=benchmark.fingerprint(scenario, seed),
        arithmetic=arithmetic,
    )


def look(wanted: Wanted) -> Found:
    """Look at the worker that this runs on."""
    from distributed import get_worker

    worker = get_worker()
    problems = (*_other_versions(wanted), *_other_plugins(wanted))
    if problems:
        # Whatever else is missing follows from these.
        return Found(problems)
    from benchmark_adapters.cluster.worker_accelerator import worker_accelerator
    from suli_plugin.runner import device_name

    device = device_name(worker_accelerator(wanted.arithmetic).device)
    problems = (*_other_data(wanted), *_other_device(wanted, device))
    gpu = worker.state.total_resources.get("GPU", 0) >= 1
    return Found(problems, device, gpu, bool(worker.nanny))


def _other_versions(wanted: Wanted) -> Iterator[str]:
    from benchmark_adapters.records.provenance import git_commit, versions

    for name, here in versions().items():
        if here != wanted.versions[name]:
            yield f"it has {name} {here}, the client {wanted.versions[name]}"
    if None not in (wanted.commit, git_commit()) and wanted.commit != git_commit():
        yield f"it runs from the commit {git_commit()}, the client from {wanted.commit}"


def _other_plugins(wanted: Wanted) -> Iterator[str]:
    from suli_plugin.plugins import registry

    for name, (plugin, distribution, version) in wanted.origins.items():
        here = registry().origins.get(name)
        told = f"plugin {plugin!r} of {distribution} {version}"
        if here is None:
            yield f"it lacks {name} of the {told}"
        elif (here.plugin, here.distribution, here.version) != (plugin, distribution, version):
            yield f"its {name} is of the {here}, the client's of the {told}"


def _other_data(wanted: Wanted) -> Iterator[str]:
    from suli_plugin.plugins import registry

    try:
        benchmark = registry().benchmark(wanted.benchmark)(**wanted.options)
        case = benchmark.fingerprint(wanted.scenario, wanted.seed)
    except Exception as error:
        # Libraries raise what they like where data are missing.
        yield f"it lacks the data: {type(error).__name__}: {error}"
        return
    if case != wanted.case:
        yield f"its data of {wanted.benchmark} are not the client's"


def _other_device(wanted: Wanted, device: str) -> Iterator[str]:
    if wanted.device not in (None, device):
        yield f"it runs on {device}, the others on {wanted.device}"
