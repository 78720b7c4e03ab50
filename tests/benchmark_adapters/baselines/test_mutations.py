"""Each method has a property test that fails once the method's characteristic term is gone."""

import importlib.util
import sys
from contextlib import contextmanager

import pytest
from hypothesis import Phase, settings
from repository import ROOT

from benchmark_adapters.baselines import UNLEARNERS
from suli_plugin.plugins import registry

FOLDERS = ("tests/benchmark_adapters/baselines", "tests/suli_plugin")
# Nothing of theirs can be dropped: they leave the model alone, or train another one.
REFERENCES = {"original", "retrain", "retrain_held_out"}


def marked_tests():
    """The marked tests by method: that of the file `test_METHOD.py`, or of `method=`."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("test_*.py")):
            if path.samefile(__file__) or "@characteristic(" not in path.read_text("utf-8"):
                continue
            module = loaded(path)
            for name, test in vars(module).items():
                if hasattr(test, "mutation"):
                    yield path.stem.removeprefix("test_"), name, test


def loaded(path):
    spec = importlib.util.spec_from_file_location(f"marked_{path.stem}", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    with any_example_will_do():
        spec.loader.exec_module(module)
    return module


@contextmanager
def any_example_will_do():
    """hypothesis looks for the smallest one that fails, for minutes where each trains a model."""
    usual = settings.get_current_profile_name()
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("mutated", settings.get_profile(usual), phases=phases)
    settings.load_profile("mutated")
    try:
        yield
    finally:
        settings.load_profile(usual)


MARKED = list(marked_tests())


@pytest.mark.parametrize(
    "test", [test for *_, test in MARKED], ids=[f"{stem}-{name}" for stem, name, _ in MARKED]
)
def test_a_property_test_fails_without_what_is_characteristic(test, monkeypatch, tmp_path):
    # What a mutated method computes must not be kept for those that are not.
    monkeypatch.setenv("SULI_CACHE", str(tmp_path))
    test.mutation(monkeypatch)
    with pytest.raises(Exception) as failed, any_example_will_do():
        test()
    # hypothesis may find several at once; whatever else a broken method raises shows nothing.
    errors = getattr(failed.value, "exceptions", (failed.value,))
    assert all(isinstance(each, AssertionError) for each in errors), errors


def test_every_method_has_one():
    ours = {path.rpartition(":")[2] for path in UNLEARNERS}
    methods = {
        name
        for name, cls in registry().unlearners.items()
        if (cls.__name__ in ours or registry().origins[name].plugin == "suli")
        and not cls.control
        and name not in REFERENCES
    }
    assert methods <= {stem for stem, *_ in MARKED}
