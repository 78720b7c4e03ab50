"""DeepUnlearn, unmodified: its step 5 with our methods, where there is a clone."""

import pytest
import torch
from harness_cases import class_three, same_weights, unlearned_by_us
from harness_runs import clone_of, run_in, source_hash
from repository import SUPPORT

from benchmark_adapters.benchmarks.digits import digits_original
from benchmark_adapters.harnesses import deepunlearn

NEEDS = ("hydra-zen", "optuna", "tensorboard", "pandas", "matplotlib", "seaborn", "timm")


@pytest.fixture(scope="module")
def python(environment_of):
    return environment_of("deepunlearn", NEEDS)


@pytest.fixture(scope="module")
def clone():
    return clone_of("SULI_DEEPUNLEARN", "github.com/xcadet/deepunlearn")


@pytest.mark.slow
def test_its_own_step_5_saves_the_weights_of_our_own_runner(clone, python, tmp_path):
    torch.save(digits_original(0).state_dict(), tmp_path / "original.pt")
    before = source_hash(clone)
    program = SUPPORT / "digits_in_deepunlearn.py"
    done = run_in(python, [program, clone], tmp_path, path=[clone, SUPPORT])
    assert done.returncode == 0, done.stdout[-3000:]
    assert source_hash(clone) == before
    ours = unlearned_by_us(
        "suli@official", digits_original(0), class_three(), seed=7, settings={"sweeps": 3}
    )
    assert same_weights(torch.load(tmp_path / "final_state.pt"), ours.state_dict())
    assert not same_weights(ours.state_dict(), digits_original(0).state_dict())


@pytest.mark.slow
def test_its_command_line_takes_our_class_with_a_preset_and_hyperparameters(
    clone, python, tmp_path
):
    target = "unlearner._target_=benchmark_adapters.harnesses.deepunlearn.SULI"
    ours = ["+unlearner.preset=official", "+unlearner.settings.sweeps=5"]
    arguments = ["unlearner=finetune", target, *ours, "unlearner.device=cpu", "--cfg", "job"]
    script = clone / "pipeline/step_5_unlearn.py"
    done = run_in(python, [script, *arguments], tmp_path, path=[clone])
    assert done.returncode == 0, done.stdout[-3000:]
    assert "_target_: benchmark_adapters.harnesses.deepunlearn.SULI" in done.stdout
    assert "sweeps: 5" in done.stdout


def test_a_wrong_setting_is_refused_when_the_unlearner_is_made():
    with pytest.raises(ValueError, match="suli has no hyper-parameter 'nope'"):
        deepunlearn.SULI(None, "cpu", settings={"nope": 1})
    with pytest.raises(TypeError, match="sequence of whole numbers"):
        deepunlearn.SULI(None, "cpu", forget_classes=3)
    with pytest.raises(AttributeError, match="has no class 'Nope'"):
        deepunlearn.Nope  # noqa: B018  # the look-up is what is tested
