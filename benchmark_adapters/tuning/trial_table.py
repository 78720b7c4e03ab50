"""Tables of a tuning run: the trials of each method, best first, with what they were scored by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark_adapters.grid.aligned import aligned_lines
from benchmark_adapters.tuning.trial_results import TrialResult, TunedMethod
from suli_plugin.unlearner import Scope

METRICS: Mapping[Scope, Mapping[str, str]] = {
    "class-wise": {
        "forget %": "forget_accuracy",
        "held-out forget %": "validation_forget_accuracy",
        "held-out retain %": "validation_retain_accuracy",
    },
    "instance-wise": {
        "forget %": "forget_accuracy",
        "retain %": "retain_accuracy",
        "held-out %": "validation_accuracy",
    },
}


def trial_tables(methods: Sequence[TunedMethod]) -> str:
    """A table for each method and scope, as text."""
    return "\n\n".join(_table(method) for method in methods)


def settings_text(settings: Mapping[str, Any]) -> str:
    """`lr=1e-05 batch_norm=keep`, or what the start has."""
    values = {name: value if isinstance(value, str) else json.dumps(value)
              for name, value in settings.items()}  # fmt: skip
    return " ".join(f"{name}={value}" for name, value in values.items()) or "as in the source"


def _table(method: TunedMethod) -> str:
    metrics = METRICS[method.scope]
    header = ["trial", "score", *metrics, "forwards", "backwards"]
    lines = aligned_lines([header, *(_row(trial, metrics) for trial in method.trials)])
    ends = ["settings", *(_ending(trial, method) for trial in method.trials)]
    width = max(map(len, lines))
    body = [f"{line.ljust(width)}  {end}" for line, end in zip(lines, ends, strict=True)]
    rule = "-" * max(map(len, body))
    return "\n".join([_title(method), rule, body[0], rule, *body[1:], rule])


def _title(method: TunedMethod) -> str:
    first = method.trials[0].records[0]["benchmark"] if method.trials else "nothing was measured"
    return (
        f"{method.label} {method.scope}: {first} {', '.join(method.scenarios)}, "
        f"seeds {', '.join(map(str, method.seeds))}; scored on held-out training images"
    )


def _row(trial: TrialResult, metrics: Mapping[str, str]) -> list[str]:
    values = [trial.metric(name) for name in metrics.values()]
    return [
        str(trial.index),
        f"{trial.score:.4f}",
        *("-" if value is None else f"{100 * value:.1f}" for value in values),
        *(f"{trial.passes(kind):.0f}" for kind in ("forward", "backward")),
    ]


def _ending(trial: TrialResult, method: TunedMethod) -> str:
    told = [trial.ended] if trial.ended else []
    if trial is method.chosen:
        told += [f"at the edge: {name}" for name in method.at_edge]
    return settings_text(trial.settings) + (f" ({', '.join(told)})" if told else "")
