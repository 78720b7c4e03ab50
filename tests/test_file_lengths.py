"""A file is one concept, which 250 lines are enough for."""

from repository import ROOT

LONGEST = 250


def test_no_file_of_the_packages_is_longer():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for package in ("suli_plugin", "benchmark_adapters", "leaderboards")
        for path in (ROOT / package).rglob("*.py")
    }
    assert len(lengths) > 200
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
