"""leaderboards -> benchmark_adapters -> suli_plugin: results know benchmarks, benchmarks know
methods, methods know neither.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_NOT = {
    "suli_plugin": {"benchmark_adapters", "leaderboards", "torchvision", "datasets", "evaluate",
                    "huggingface_hub", "sklearn"},
    "benchmark_adapters": {"leaderboards"},
    "leaderboards": set(),
}  # fmt: skip
FILES = [path for room in MAY_NOT for path in sorted((ROOT / room).rglob("*.py"))]


def imported(source):
    """Top-level packages that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
            yield str(getattr(node.args[0], "value", "")).partition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    room = path.relative_to(ROOT).parts[0]
    wrong = set(imported(path.read_text(encoding="utf-8"))) & MAY_NOT[room]
    assert not wrong, f"{room} must not import {sorted(wrong)}"


def test_only_the_plugin_modules_import_pluggy():
    users = {
        path.name for path in FILES if "pluggy" in set(imported(path.read_text(encoding="utf-8")))
    }
    assert users == {"hookspecs.py", "plugins.py"}


def test_no_folder_of_tests_hides_a_room():
    """pytest puts tests/ first on the path, where a folder of that name would be found first."""
    assert not [room for room in MAY_NOT if (ROOT / "tests" / room).exists()]


@pytest.mark.parametrize(
    "line", ["import leaderboards", "from leaderboards.x import y", "import_module('leaderboards')"]
)
def test_a_planted_import_is_seen(line):
    assert "leaderboards" in set(imported(f"def f():\n    {line}\n"))
