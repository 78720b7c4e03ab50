"""Which methods SUPREME finds by a name in setup.cfg, and why it does not find the others."""

from configparser import ConfigParser

from harness_cases import PIXEL_METHODS, SUPREMES_OWN
from repository import ROOT

from benchmark_adapters.harnesses.translation import names_in_harness
from suli_plugin.plugins import registry
from suli_plugin.unlearner import TRAINING_RECORDS

RECORDS = "needs what only the original's training leaves behind"
MISSING = {
    "original": "SUPREME has its own",
    "retrain": "SUPREME has its own",
    "retrain_held_out": "an audit's yardstick, no method",
    **dict.fromkeys(PIXEL_METHODS, "it works on pixels in [0, 1], SUPREME's are normalised"),
}


def entry_points():
    configuration = ConfigParser()
    configuration.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = configuration["options.entry_points"]["supreme.unlearning_methods"].split("\n")
    return dict(line.split(" = ") for line in lines if line)


def why_missing(name, cls):
    if set().union(*cls.needs.values()) & set(TRAINING_RECORDS):
        return RECORDS
    return "a control, no method" if cls.control else MISSING.get(name)


def test_every_method_has_an_entry_point_or_a_reason_why_not():
    methods = {name: cls for name, cls in registry().unlearners.items() if not cls.peer}
    named = names_in_harness(list(methods), SUPREMES_OWN.__contains__)
    there = {name for name, method in named.items() if not why_missing(method, methods[method])}
    assert {name for name in entry_points() if name in named} == there
    assert set(MISSING) <= set(methods)


def test_presets_of_suli_and_su_have_entry_points():
    presets = {"suli_paper", "suli_official", "su_paper", "su_official"}
    named = set(names_in_harness(list(registry().unlearners), SUPREMES_OWN.__contains__))
    assert set(entry_points()) - named == presets


def test_an_entry_point_is_the_function_of_its_name():
    for name, target in entry_points().items():
        assert target == f"benchmark_adapters.harnesses.supreme:{name}"
        assert name not in SUPREMES_OWN
