"""Imports go one way: leaderboards -> benchmark_adapters -> suli_plugin, and within them from the
higher room to the lower.
"""

import ast
from graphlib import CycleError, TopologicalSorter

import pytest
from repository import ROOT

# From the lowest room to the highest: each may import those of lower rows, none of its own row.
FLOORS = (
    ("suli_plugin",),
    ("benchmark_adapters.command_line", "benchmark_adapters.architectures",
     "benchmark_adapters.baselines", "benchmark_adapters.metrics", "benchmark_adapters.harnesses",
     "benchmark_adapters.preprocessing", "leaderboards.untrusted"),
    ("benchmark_adapters.hub",),
    ("benchmark_adapters.images", "benchmark_adapters.originals"),
    ("benchmark_adapters.splits", "benchmark_adapters.records"),
    ("benchmark_adapters.audit", "benchmark_adapters.cluster"),
    ("benchmark_adapters.benchmarks", "benchmark_adapters.grid"),
    ("benchmark_adapters.deletion", "benchmark_adapters.report", "benchmark_adapters.tuning"),
    ("benchmark_adapters.bench", "benchmark_adapters.checkpoint_audit", "leaderboards.board"),
    ("leaderboards.claims",),
    ("leaderboards.store",),
    ("leaderboards.keeping", "leaderboards.verification", "leaderboards.rendering"),
    ("leaderboards.submission", "leaderboards.comparison"),
    ("leaderboards.reproduction",),
    ("leaderboards.command",),
)  # fmt: skip
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
PACKAGES = ("suli_plugin", "benchmark_adapters", "leaderboards")
# What the contract and the two methods do without.
HEAVY = {"torchvision", "datasets", "evaluate", "huggingface_hub", "sklearn"}
FILES = [path for room in PACKAGES for path in sorted((ROOT / room).rglob("*.py"))]
# They name what has moved, of whatever room, and import nothing of it.
FRONT_DOORS = {"benchmark_adapters", "leaderboards"}


def imported(source):
    """The full names of modules that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
            yield str(getattr(node.args[0], "value", ""))


def packages_of(source):
    return {name.partition(".")[0] for name in imported(source)}


def room_of(name):
    """The room of a module's full name; None for what is not ours."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return None
    return parts[0] if parts[0] == "suli_plugin" else ".".join(parts[:2])


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def going_up(name, source):
    """The rooms that a module imports though they are not below its own."""
    own = room_of(name)
    rooms = {room_of(each) for each in imported(source)} - {own, None}
    return {room for room in rooms if FLOOR[room] >= FLOOR[own]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    source, name = path.read_text(encoding="utf-8"), module_name(path)
    if name in FRONT_DOORS:
        assert {room_of(each) for each in imported(source)} == {"suli_plugin"}
        return
    assert room_of(name) in FLOOR, f"{name} is in no room that this test knows"
    wrong = going_up(name, source)
    assert not wrong, f"{name} must not import {sorted(wrong)}"
    if name.startswith("suli_plugin"):
        assert not packages_of(source) & HEAVY


def circle(sources):
    """The modules of a circle of imports, none if there is none. sources: by module."""
    graph = {name: modules_of(source, sources) - {name} for name, source in sources.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def modules_of(source, known):
    """The known modules that a module imports; `from package import module` names both."""
    names = set(imported(source))
    return {each for name in names for each in (name, name.rpartition(".")[0]) if each in known}


def test_no_import_goes_round_in_a_circle():
    """Imports for type checkers and those inside functions are imports, too."""
    sources = {module_name(path): path.read_text("utf-8") for path in FILES}
    assert len(sources) > 200 and not circle(sources)


@pytest.mark.parametrize("last", ["import p.a", "from p.a import X", "from p import a"])
@pytest.mark.parametrize("form", ["{}", "if TYPE_CHECKING:\n    {}", "def f():\n    {}"])
def test_a_planted_circle_is_seen(form, last):
    sources = {"p.a": "from p.b import Y", "p.b": "import p.c", "p.c": form.format(last)}
    assert set(circle(sources)) == {"p.a", "p.b", "p.c"}
    assert not circle({**sources, "p.c": "import torch"})


def test_every_room_is_there_and_says_what_it_is_for():
    for room in FLOOR:
        folder = ROOT / room.replace(".", "/")
        if not folder.is_dir():
            assert folder.with_suffix(".py").is_file(), f"there is no room {room}"
            continue
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))


def test_only_the_plugin_modules_import_pluggy():
    users = {path.name for path in FILES if "pluggy" in packages_of(path.read_text("utf-8"))}
    assert users == {"hookspecs.py", "plugins.py"}


@pytest.mark.parametrize(
    "line",
    [
        "import benchmark_adapters.deletion.receipt",
        "from benchmark_adapters.deletion.receipt import RECEIPT",
        "from benchmark_adapters import deletion",
        "import_module('benchmark_adapters.deletion')",
        "from leaderboards.board.board import Board",
    ],
)
def test_a_planted_import_is_seen(line):
    assert going_up("benchmark_adapters.splits.recipes", f"def f():\n    {line}\n")
    assert going_up("suli_plugin.runner", f"if TYPE_CHECKING:\n    {line}\n")


def test_an_import_from_a_lower_room_is_no_finding():
    line = "from benchmark_adapters.images.base_data import BaseData\nfrom torch import nn\n"
    assert not going_up("benchmark_adapters.splits.recipes", line)
