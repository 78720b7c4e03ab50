"""No control and no cheat passes an audit of real CIFAR-10 images; three classes, one original."""

import pytest
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from audited import Auditor, controls, telling
from cheats import CHEATS
from small_cifar10 import RECIPE, SmallCifar10

from benchmark_adapters.audit.judge import HELD_OUT
from benchmark_adapters.benchmarks.cifar10 import Cifar10ResNet20
from suli_plugin import evaluate

pytestmark = [pytest.mark.slow, pytest.mark.real_data]
CLASSES = (1, 3, 5)


@pytest.fixture(scope="module")
def small(real_data):
    """The original and the accelerator that trains, in bfloat16, which takes half the time."""
    AcceleratorState._reset_state(True)
    training = Accelerator(cpu=True, mixed_precision="bf16")
    yield SmallCifar10.trained(real_data / "cifar10", training), training


@pytest.fixture(scope="module", params=CLASSES, ids=lambda label: f"class {label}")
def audit(small, request):
    """Of one class."""
    made, training = small
    settings = Cifar10ResNet20.settings
    auditor = Auditor(made.case(request.param), RECIPE, settings, trains=training)
    return auditor.audit(fresh=1)


def test_the_original_has_learned_what_there_is_to_forget(small):
    made, _ = small
    assert evaluate(made.original, made.test, Accelerator()).accuracy() > 0.4
    assert evaluate(made.original, made.train, Accelerator()).accuracy() > 0.6


@pytest.mark.parametrize("label", ["original", *controls("class-wise"), *CHEATS])
def test_a_test_with_power_tells_every_control_and_every_cheat_from_retrain(audit, label):
    assert telling(audit, label)


def test_the_audit_has_power_and_the_retrains_pass(audit):
    like, of = audit.counted(HELD_OUT)
    assert like == of >= 8
    # One test in a hundred is wrong by intent, and the settled twin with it.
    assert len(telling(audit, "fresh 1")) <= 2
