"""`suli audit` of a published ResNet-20 on real CIFAR-10: a mask is found without a Retrain."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.real_data]


def test_a_mask_on_the_published_resnet20_is_found(audit_of_cifar10):
    found = audit_of_cifar10.found
    assert audit_of_cifar10.said[1][0] == 1 and found["verdict"]["outcome"] == "impostor"
    assert found["sources"]["dataset"]["forgotten"] == ["automobile"]
    values = {test["name"]: test["values"] for test in found["tests"]}
    accuracy, probe = values["forget_accuracy"], values["linear_probe"]
    # The mask that was audited, and another among the controls: no feature has changed.
    for name in ("model", "bias_mask"):
        assert accuracy[name] < 0.05 < 0.99 < accuracy["original"]
        assert probe[name] == pytest.approx(probe["original"], abs=0.01) and probe[name] > 0.9
    # One constant brings the class back.
    assert values["one_constant"]["bias_mask"] > 0.9
