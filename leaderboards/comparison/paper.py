"""Our records beside the paper's Tables 2 to 5, as Markdown tables."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from benchmark_adapters.records.record import total_passes
from leaderboards.board.paper_values import paper_values

Record = Mapping[str, Any]
Spread = Mapping[str, float | None]

SETTING = "cifar10-resnet18"
NETWORKS = {
    "cifar10-resnet18": "ResNet-18",
    "cifar10-fast": "ConvNet",
    "cifar10-resnet20": "ResNet-20",
}
PERCENT = {
    "retain_accuracy": "Retain %",
    "forget_accuracy": "Forget %",
    "test_retain_accuracy": "Test-retain %",
    "test_forget_accuracy": "Test-forget %",
    "test_accuracy": "Test %",
}
CLASSES = 10
TEXT = ("Network", "Method", "Where", "Changed", "Settings")
CLASS_WISE = ("retain_accuracy", "forget_accuracy", "test_retain_accuracy", "test_forget_accuracy")
INSTANCE_WISE = ("retain_accuracy", "forget_accuracy", "test_accuracy")
EXPERIMENT = {
    **{name: PERCENT[name] for name in CLASS_WISE},
    "mia_accuracy": "MIA",
    "linear_probe_forget_accuracy": "Linear probe, forget %",
    "relearn_updates": "Relearn updates",
}


def comparison_tables(records: Sequence[Record]) -> dict[str, str]:
    """Markdown by name, `paper.table-2` to `paper.table-5`.

    records: of the CIFAR-10 benchmarks; those of other ones are not looked at.
    """
    own = [record for record in records if record["benchmark"] in NETWORKS]
    paper = paper_values()
    sizes = sorted(
        {int(r["scenario"].partition("-")[2]) for r in own if r["scope"] == "instance-wise"}
    )
    reported = paper["settings"][SETTING]
    instance = [
        _beside(reported[f"instance-{size}"], _of_scenario(own, f"instance-{size}"), INSTANCE_WISE)
        for size in sizes
    ]
    return {
        "paper.table-2": _beside(
            reported["class-wise"], [r for r in own if r["scope"] == "class-wise"], CLASS_WISE
        ),
        "paper.table-3": "\n\n".join(
            f"n = {size}\n\n{table}" for size, table in zip(sizes, instance, strict=True)
        ),
        "paper.table-4": _membership(reported, own),
        "paper.table-5": _cost(paper["seconds"], own),
    }


def experiment_table(records: Sequence[Record], references: Mapping[str, Mapping[str, Any]]) -> str:
    """One row a record: what it changes in its method's published settings, and its metrics.

    references: hyper-parameters by the method's label.
    """
    titles = ["Network", "Method", "Changed", *EXPERIMENT.values()]
    rows = []
    for record in records:
        reference = references[record["method"]]
        changed = {
            name: value
            for name, value in record["hyperparameters"].items()
            if reference.get(name, value) != value
        }
        said = ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(changed.items()))
        values = [_one(record["metrics"], name) for name in EXPERIMENT]
        changes = f"`{said}`" if said else "nothing"
        network, method = NETWORKS[record["benchmark"]], f"`{record['method']}`"
        rows.append([network, method, changes, *values, total_passes(record)])
    return markdown_table([*titles, "Passes"], rows)


def _beside(
    reported: Mapping[str, Mapping[str, Spread]], own: Sequence[Record], names: Sequence[str]
) -> str:
    """A row for each method and where it was run, the paper's first."""
    rows: list[list[object]] = []
    for label in _labels(reported, own):
        found = reported.get(label)
        if found is not None:
            cells = [_percent(found.get(name)) for name in names]
            rows.append([f"`{label}`", "paper, ResNet-18", *cells, 5])
        for place, ours in _places([r for r in own if r["method"] == label]).items():
            cells = [_percent(spread_of(r["metrics"].get(name) for r in ours)) for name in names]
            rows.append([f"`{label}`", place, *cells, len(ours)])
    return markdown_table(["Method", "Where", *(PERCENT[name] for name in names), "n"], rows)


def _places(records: Sequence[Record]) -> dict[str, list[Record]]:
    """A network's records of most classes together, as the paper has all; of few by class."""
    found: dict[str, list[Record]] = {}
    for benchmark, network in NETWORKS.items():
        own = [record for record in records if record["benchmark"] == benchmark]
        classes = {r["scenario"] for r in own if r["scenario"].startswith("class-")}
        together = f"ours, {network}, mean of {len(classes)} classes"
        found |= {together: own} if are_most(classes) else _cases(own)
    return found


def are_most(classes: Collection[str]) -> bool:
    """Whether a mean over these class-wise scenarios may stand beside one over all classes."""
    return 2 * len(classes) > CLASSES


def _cases(records: Sequence[Record]) -> dict[str, list[Record]]:
    """By network and class; classes differ more than seeds do, so that each has its own row."""
    networks = list(NETWORKS)
    found: dict[tuple[int, int], list[Record]] = {}
    for record in records:
        _, _, number_of = record["scenario"].partition("-")
        key = (networks.index(record["benchmark"]), int(number_of))
        found.setdefault(key, []).append(record)
    return {_place(ours[0]): ours for _, ours in sorted(found.items())}


def _place(record: Record) -> str:
    scope, _, number_of = record["scenario"].partition("-")
    label = f", class {number_of}" if scope == "class" else ""
    return f"ours, {NETWORKS[record['benchmark']]}{label}"


def _membership(
    reported: Mapping[str, Mapping[str, Mapping[str, Spread]]], own: Sequence[Record]
) -> str:
    scopes = ("class-wise", "instance-wise")
    rows: list[list[object]] = []
    for label in _labels(reported["class-wise"], own):
        cells: list[str] = []
        for scope in scopes:
            cells.append(_fraction(reported[scope].get(label, {}).get("mia_accuracy")))
            for benchmark in NETWORKS:
                ours = [
                    r["metrics"].get("mia_accuracy")
                    for r in own
                    if (r["benchmark"], r["method"], r["scope"]) == (benchmark, label, scope)
                ]
                cells.append(_fraction(spread_of(ours)))
        rows.append([f"`{label}`", *cells])
    titles = [
        f"{scope}, {where}"
        for scope in scopes
        for where in ("paper", *(f"ours, {network}" for network in NETWORKS.values()))
    ]
    return markdown_table(["Method", *titles], rows)


def _cost(seconds: Mapping[str, Any], own: Sequence[Record]) -> str:
    """Relative to SULI: the paper's seconds, and our samples forwarded and backwarded."""
    rows: list[list[object]] = []
    labels = _labels(seconds["class-wise"], own)
    for label in labels:
        cells: list[str] = []
        for scope in ("class-wise", "instance-wise"):
            reported = seconds[scope].get(label)
            relative = None if reported is None else reported / seconds[scope]["suli"]
            cells.append("–" if relative is None else f"{relative:.1f}")
            for benchmark in NETWORKS:
                cells.append(_relative_passes(own, benchmark, scope, label))
        rows.append([f"`{label}`", *cells])
    titles = [
        f"{scope}, {what}"
        for scope in ("class-wise", "instance-wise")
        for what in (
            "paper's seconds",
            *(f"our passes, {network}" for network in NETWORKS.values()),
        )
    ]
    return markdown_table(["Method", *titles], rows)


def _relative_passes(own: Sequence[Record], benchmark: str, scope: str, label: str) -> str:
    """Mean over the cases that both have of passes over those of `suli@official`."""
    passes = {
        (r["method"], r["scenario"], r["seed"]): total_passes(r)
        for r in own
        if r["benchmark"] == benchmark and r["scope"] == scope
    }
    ratios = [
        count / official
        for (method, *case), count in passes.items()
        if method == label and (official := passes.get(("suli@official", *case), 0))
    ]
    return number(spread_of(ratios), 1, 2)


def _of_scenario(own: Sequence[Record], scenario: str) -> list[Record]:
    return [record for record in own if record["scenario"] == scenario]


def _labels(reported: Iterable[str], own: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys([*reported, *(record["method"] for record in own)]))


def spread_of(values: Iterable[float | None]) -> Spread | None:
    """Mean and deviation of the values that are there, None without any."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {"mean": mean(known), "std": stdev(known) if len(known) > 1 else None}


def _percent(spread: Spread | None) -> str:
    return number(spread, 100, 1)


def _fraction(spread: Spread | None) -> str:
    return number(spread, 1, 2)


def number(spread: Spread | None, scale: float, decimals: int) -> str:
    """`96.0 ± 0.1`, without a deviation where there is one value, a dash where there is none."""
    if spread is None or spread["mean"] is None:
        return "–"
    # Adding zero makes a plain one of what rounds to minus zero.
    text = f"{round(spread['mean'] * scale, decimals) + 0.0:.{decimals}f}"
    return text if spread["std"] is None else f"{text} ± {spread['std'] * scale:.{decimals}f}"


def _one(metrics: Mapping[str, float], name: str) -> str:
    value = metrics.get(name)
    if value is None:
        return "–"
    if name == "relearn_updates":
        return f"{value:.0f}" if metrics["relearn_reached"] else f"> {value:.0f}"
    return f"{value:.3f}" if name == "mia_accuracy" else f"{100 * value:.1f}"


def markdown_table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Text columns to the left, numbers to the right."""
    ruler = [":--" if title in TEXT else "--:" for title in titles]
    lines = [list(titles), ruler, *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
