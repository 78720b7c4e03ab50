"""`suli audit` of a published ResNet-20 on real CIFAR-10: a mask is found without a Retrain."""

import json

import pytest
from digits_as_images import suli

pytestmark = [pytest.mark.slow, pytest.mark.real_data]


def test_a_mask_on_the_published_resnet20_is_found(real_data, tmp_path):
    places = {
        "original": real_data / "checkpoints" / "resnet20-cifar10",
        "dataset": real_data / "cifar10",
    }
    suli("unlearn", "--model", places["original"], "--dataset", places["dataset"],
         "--forget-class", "automobile", "--method", "bias_mask",
         "--output", tmp_path / "masked")  # fmt: skip
    done = suli("audit", tmp_path / "masked", "--original", places["original"],
                "--dataset", places["dataset"], "--json", code=1)  # fmt: skip
    found = json.loads(done.stdout)
    assert found["verdict"]["outcome"] == "impostor"
    assert found["sources"]["dataset"]["forgotten"] == ["automobile"]
    values = {test["name"]: test["values"] for test in found["tests"]}
    assert values["forget_accuracy"]["model"] < 0.05 < 0.99 < values["forget_accuracy"]["original"]
    # One constant brings the class back, and no feature has changed.
    assert values["one_constant"]["model"] > 0.9
    probe = values["linear_probe"]
    assert probe["model"] == pytest.approx(probe["original"], abs=0.01) and probe["model"] > 0.9
