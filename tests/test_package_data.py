"""What the code reads from its own folders is in the wheel; what it writes there is not."""

import configparser

from repository import ROOT

ROOMS = ("suli_plugin", "benchmark_adapters", "leaderboards")
# Of this repository alone: no code reads them from where it is installed.
KEPT_HERE = ("AUDITS.md", "COMPARISON.md", "TUNING.md", "page", "results")


def shipped():
    """The files that setup.cfg names as package data."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    found = set()
    for package, patterns in setup["options.package_data"].items():
        folder = ROOT / package.replace(".", "/")
        for pattern in patterns.split():
            matches = set(folder.glob(pattern))
            assert matches, f"{pattern} of {package} matches nothing"
            found |= matches
    return found


def test_every_file_that_is_no_module_ships_or_is_kept_here():
    files = {
        path
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
        if path.relative_to(ROOT).parts[:1] != ("leaderboards",)
        or path.relative_to(ROOT).parts[1] not in KEPT_HERE
    }
    assert files == shipped()
