"""What only a GPU can show; skipped where there is none."""

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from small_problem import request, trained_convnet

from suli_plugin import SULI, run
from suli_plugin.cost import StepClock

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
METHOD = SULI(stop="never", n_layers=2, batch_size=18, lr=1e-3)


@pytest.fixture
def gpu(monkeypatch):
    """Makes accelerators of a precision; the suite as a whole computes on the CPU."""
    monkeypatch.delenv("ACCELERATE_USE_CPU")

    def made(precision):
        AcceleratorState._reset_state(True)
        return Accelerator(mixed_precision=precision)

    return made


def test_a_clock_of_steps_measures_without_waiting():
    device = torch.device("cuda")
    clock, factor = StepClock(device), torch.randn(4096, 4096, device=device)
    torch.cuda.synchronize()
    with clock.running():
        product = factor
        for _ in range(50):
            product = product @ factor
    assert clock.seconds > 50 * 2 * 4096**3 / 1e15
    before = clock.seconds
    assert clock.seconds == before


def test_fp16_with_a_scaler_unlearns_as_float32_does(gpu):
    asked = request("class-wise")
    half = run(METHOD, trained_convnet(), asked, accelerator=gpu("fp16"))
    whole = run(METHOD, trained_convnet(), asked, accelerator=gpu("no"))
    assert half.precision == "fp16" and half.steps == whole.steps
    assert half.history[-1].forget_accuracy < 0.5
    assert half.history[-1].forget_accuracy == pytest.approx(
        whole.history[-1].forget_accuracy, abs=0.1
    )


def test_no_step_waits_for_the_device(gpu):
    accelerator, waits = gpu("no"), []
    torch.cuda.set_sync_debug_mode("warn")
    try:
        for steps in (2, 7):
            with pytest.warns(UserWarning, match="synchronizing") as seen:
                method = SULI(stop="never", n_layers=2, batch_size=40, inner_steps=steps)
                run(method, trained_convnet(), request("class-wise"), accelerator=accelerator)
            waits.append(len(seen))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert waits[0] == waits[1]
