"""DELETE: the original's outputs without the label, which is what SU does, too."""

import pytest
import torch
from characteristic import characteristic
from small_problem import request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import delete
from benchmark_adapters.baselines.delete import Delete
from suli_plugin import SU, ForgetRequest, ImageSet, run

WHOLE = {"epochs": 1, "batch_size": 1000, "batch_norm": "frozen"}


def published_loss(student, teacher, labels):
    """As the official code has it: the label's logit at -1e10, batchmean."""
    logits = teacher.clone()
    logits[torch.arange(len(labels)), labels] = -1e10
    divergence = nn.KLDivLoss(reduction="batchmean")
    return divergence(student.log_softmax(1), logits.softmax(1))


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
@pytest.mark.parametrize("batch_norm", ["update", "frozen"])
def test_its_loss_is_su_with_temperature_1_epsilon_0_and_the_label_suppressed(scope, batch_norm):
    options = {**WHOLE, "batch_norm": batch_norm, "stop": "never"}
    wanted = request(scope)
    ours = run(Delete(**options), trained_convnet(), wanted)
    su = run(
        SU(temperature=1.0, epsilon=0.0, suppress="label", **options), trained_convnet(), wanted
    )
    assert ours.history[0].loss == su.history[0].loss > 0


def unsuppressed(logits, labels, session):
    return logits.log_softmax(1)


@characteristic(lambda patch: patch.setattr(delete, "_targets", unsuppressed))
def test_a_step_is_descent_on_the_published_loss():
    wanted, by_hand = request("instance-wise"), trained_convnet()
    images, labels = tensors(wanted.forget)
    teacher = trained_convnet()(images).detach()
    published_loss(by_hand(images), teacher, labels).backward()
    ours = run(Delete(lr=0.05, stop="never", **WHOLE), trained_convnet(), wanted).model
    for one, other in zip(ours.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other - 0.05 * other.grad, atol=1e-5, rtol=1e-4)


def test_the_teacher_sees_the_augmented_image():
    wanted = request("instance-wise")
    flipped = ImageSet(
        wanted.forget._store, mean=(0.3055,), std=(0.3756,), augment=lambda x, _: x.flip(-1)
    ).subset(wanted.forget._rows)
    images, labels = tensors(wanted.forget)
    model = trained_convnet()
    expected = published_loss(model(images.flip(-1)), model(images.flip(-1)), labels)
    asked = ForgetRequest(forget=flipped)
    result = run(Delete(stop="never", **WHOLE), trained_convnet(), asked)
    assert result.history[0].loss == pytest.approx(expected.item(), rel=1e-4)
    # Two evaluations of the forget set, the step, and the teacher's pass.
    assert result.passes["forward"] == {"forget": 4 * len(labels)}


def test_it_forgets_a_class():
    result = run(Delete(lr=1e-3, batch_size=16), trained_convnet(), request("class-wise"))
    assert result.history[-1].forget_accuracy < 0.5


def test_the_official_preset_has_the_codes_values():
    preset = Delete.preset("official", "class-wise")
    values = (preset.lr, preset.momentum, preset.epochs, preset.batch_size, preset.stop)
    assert values == (1e-4, 0.9, 20, 128, "never")
