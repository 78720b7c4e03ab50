"""Discovery: each entry point alone, the broken ones reported, the rest working."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from repository import SUPPORT

from suli_plugin import plugins
from suli_plugin.hookspecs import PROJECT

EXAMPLE = SUPPORT / "example_plugin"
GOOD = """
from suli_plugin import SULI, hookimpl
class Mine(SULI):
    name = "{name}"
@hookimpl
def register_unlearners(register):
    register(Mine)
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a distribution with one plugin module on the path, as pip would lay it out."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(name, code, group=PROJECT):
        (tmp_path / f"{name}.py").write_text(code)
        info = tmp_path / f"{name}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {name}\n")
        monkeypatch.delitem(sys.modules, name, raising=False)

    return put


def report_of(registry, name):
    return next(report for report in registry.reports if report.origin.plugin == name)


def test_our_own_methods_come_through_entry_points():
    found = plugins.load_plugins(strict=True)
    assert {"suli", "su", "original", "retrain", "bn_drift"} <= set(found.unlearners)
    assert "digits" in found.benchmarks
    assert {found.origins[name].distribution for name in ("suli", "finetune")} == {"suli-plugin"}


def test_a_third_partys_method_is_found_with_its_origin(install):
    install("good_plugin", GOOD.format(name="mine"))
    found = plugins.load_plugins()
    assert found.unlearner("mine", "class-wise").name == "mine"
    assert str(found.origins["mine"]) == "plugin 'good_plugin' of good_plugin 1.5"


BROKEN = {
    "import_error": ("import a_module_that_is_not_there", "ModuleNotFoundError"),
    "syntax_error": ("def", "SyntaxError"),
    "exits": ("import sys; sys.exit(3)", "SystemExit"),
    "unknown_hook": (
        "from suli_plugin import hookimpl\n@hookimpl\ndef register_unlerners(register): pass",
        "unknown hook 'register_unlerners'",
    ),
    "wrong_argument": (
        "from suli_plugin import hookimpl\n@hookimpl\ndef register_unlearners(add): pass",
        "'add'",
    ),
    "not_an_unlearner": (
        "from suli_plugin import hookimpl\n@hookimpl\ndef register_unlearners(register):\n"
        "    register(dict)",
        "expected a subclass of Unlearner",
    ),
    "abstract": (
        "from suli_plugin import Unlearner, hookimpl\nclass X(Unlearner):\n    name = 'x'\n"
        "@hookimpl\ndef register_unlearners(register):\n    register(X)",
        "does not implement unlearn",
    ),
    "bad_name": (GOOD.format(name="My Method"), "lower-case identifier"),
    "taken_name": (GOOD.format(name="suli"), "'suli' is taken by plugin 'suli' of suli-plugin"),
    "raises": (
        "from suli_plugin import hookimpl\n@hookimpl\ndef register_unlearners(register):\n"
        "    raise RuntimeError('out of order')",
        "out of order",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_reported_and_the_rest_works(name, install):
    code, reason = BROKEN[name]
    install(name, code)
    install("zz_good", GOOD.format(name="fine"))
    found = plugins.load_plugins()
    report = report_of(found, name)
    assert report.state == "failed" and reason in report.reason
    assert (report.origin.distribution, report.origin.version) == (name, "1.5")
    assert {"suli", "fine"} <= set(found.unlearners)
    with pytest.raises(ValueError, match=f"plugin '{name}' of {name} 1.5 was not loaded"):
        plugins.load_plugins(strict=True)


def test_a_plugin_that_breaks_half_way_brings_nothing(install):
    code = GOOD.format(name="half") + "    register(Mine)\n"
    install("halfway", code)
    found = plugins.load_plugins()
    assert "half" not in found.unlearners
    assert "taken by itself" in report_of(found, "halfway").reason


def test_an_unknown_method_names_the_known_and_the_plugins_that_failed(install):
    install("import_error", BROKEN["import_error"][0])
    with pytest.raises(
        ValueError, match=r"unknown method 'sully'; known: .*suli.*not loaded: plug"
    ):
        plugins.load_plugins().unlearner("sully", "class-wise")


def test_plugins_can_be_blocked_by_name(install, monkeypatch):
    install("good_plugin", GOOD.format(name="mine"))
    monkeypatch.setenv(plugins.BLOCK, "good_plugin, another")
    found = plugins.load_plugins()
    assert "mine" not in found.unlearners
    assert report_of(found, "good_plugin").state == "blocked"


@pytest.mark.slow
def test_a_whole_third_party_plugin_is_built_installed_found_and_conforms(tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wheels, site, source = tmp_path / "wheels", tmp_path / "site", tmp_path / "source"
    # A build leaves its own folders beside the source.
    shutil.copytree(EXAMPLE, source)
    build = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", wheels, source]
    subprocess.run(build, check=True, cwd=tmp_path)
    wheel = next(wheels.glob("*.whl"))
    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", site, wheel], check=True)
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def suli(*arguments):
        line = [sys.executable, "-m", "suli_plugin", *arguments]
        done = subprocess.run(line, capture_output=True, text=True, env=environment, check=True)
        return json.loads(done.stdout)

    rows = {row["plugin"]: row for row in suli("plugins", "--json", "--strict")}
    assert rows["example"]["unlearners"] == ["shrink"]
    assert rows["example"]["distribution"] == "suli-example-plugin"
    assert rows["example"]["version"] == "0.3.0"
    assert "shrink" in [row["method"] for row in suli("methods", "--json")]
    conform = "from shrink_unlearner import Shrink; import suli_plugin.testing as t; "
    conform += "t.check_unlearner(Shrink())"
    subprocess.run([sys.executable, "-c", conform], env=environment, check=True)
