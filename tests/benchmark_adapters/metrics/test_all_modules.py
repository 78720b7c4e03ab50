"""All `evaluate` modules describe themselves; nothing imports them, as `evaluate` is slow."""

import ast

import pytest
from repository import ROOT

from benchmark_adapters.metrics import evaluate_modules, feature_modules, output_modules
from benchmark_adapters.metrics.evaluate_modules import UnlearningMetric

FILES = (evaluate_modules, feature_modules, output_modules)
NAMES = {each.__name__.rpartition(".")[2] for each in FILES}
ALL = {made for each in FILES for made in vars(each).values()
       if isinstance(made, type) and issubclass(made, UnlearningMetric)}  # fmt: skip


@pytest.mark.parametrize("metric", sorted(ALL - {UnlearningMetric}, key=lambda each: each.__name__))
def test_every_module_describes_itself(metric):
    module = metric(keep_in_memory=True)
    assert module.description and module.inputs_description.startswith("predictions")
    assert set(module.features) == {"predictions", "references"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (getattr(node, "module", None) or "", *(each.name for each in node.names))


def test_nothing_imports_the_modules_and_so_evaluate_by_itself():
    for room in ("suli_plugin", "benchmark_adapters", "leaderboards"):
        for path in (ROOT / room).rglob("*.py"):
            if path.stem not in NAMES:
                found = {name.rpartition(".")[2] for name in imported(path)}
                assert not found & NAMES, path
