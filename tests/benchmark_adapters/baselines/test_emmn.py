"""EMMN: noise for every class, no data at all."""

import pytest
import torch
from characteristic import characteristic
from small_problem import trained_convnet
from torch import nn
from torch.nn.functional import cross_entropy

from benchmark_adapters.baselines import impair_repair
from benchmark_adapters.baselines.emmn import Emmn
from benchmark_adapters.baselines.learnt_noise import learnt_noise
from suli_plugin import ForgetRequest, run

SEED = 5
SHORT = {"noise_images": 6, "iterations": 5, "copies": 2, "batch_size": 20}
KEPT = (0, 1, 2, 4, 5, 6, 7, 8, 9)


def asked(**more):
    return ForgetRequest(image_shape=(1, 8, 8), forget_classes=(3,), **more)


def turned_round(*args, error, **options):
    other = {"minimised": "maximised", "maximised": "minimised"}[error]
    return learnt_noise(*args, error=other, **options)


@characteristic(lambda patch: patch.setattr(impair_repair, "learnt_noise", turned_round))
def test_noise_errs_for_the_forgotten_class_and_fits_for_every_other():
    reached = [
        run(Emmn(**{**SHORT, "iterations": steps}), trained_convnet(), asked(), seed=SEED).notes[
            "noise_cross_entropy"
        ]
        for steps in (0, 20)
    ]
    assert reached[0].keys() == {str(label) for label in range(10)}
    for label, before in reached[0].items():
        after = reached[1][label]
        assert after > before + 1 if label == "3" else after < before - 1, label


def test_one_run_is_noise_for_each_class_then_two_epochs():
    ours = run(Emmn(**SHORT), trained_convnet(), asked(), seed=SEED).model
    draw = torch.Generator().manual_seed(SEED)
    model = trained_convnet().eval()

    def learnt(label, sign):
        noise = nn.Parameter(torch.randn(6, 1, 8, 8, generator=draw))
        steps = torch.optim.Adam([noise], lr=0.1)
        for _ in range(5):
            fit = cross_entropy(model(noise), torch.full((6,), label))
            loss = sign * fit + 0.01 * noise.pow(2).sum((1, 2, 3)).mean()
            steps.zero_grad()
            loss.backward()
            steps.step()
        return noise.detach()

    kept = torch.cat([learnt(label, 1) for label in KEPT])
    labels = torch.tensor(KEPT).repeat_interleave(6)
    wrong = learnt(3, -1)
    both, targets = torch.cat([wrong, wrong, kept]), torch.cat([torch.full((12,), 3), labels])
    student = trained_convnet().train()
    for inputs, wanted, size in ((both, targets, 20), (kept, labels, 256)):
        optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
        for batch in torch.randperm(len(wanted), generator=draw).split(size):
            optimizer.zero_grad()
            cross_entropy(student(inputs[batch]), wanted[batch]).backward()
            optimizer.step()
    for key, value in student.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[key], value, rtol=1e-4, atol=1e-6, msg=key)


def test_no_data_is_reachable_and_a_class_forgotten_earlier_has_no_noise():
    result = run(Emmn(**SHORT), trained_convnet(), asked(forgotten_before=(7,)))
    assert result.passes["forward"].keys() == {"synthetic"}
    assert result.notes["noise_cross_entropy"].keys() == {str(c) for c in range(10) if c != 7}


@pytest.mark.parametrize(
    ("shape", "forgotten", "message"),
    [
        ((3, 8, 8), 3, "image_shape does not fit: the model cannot take"),
        ((1, 8, 8), 12, "class 12 is out of range"),
    ],
)
def test_a_shape_or_a_class_that_does_not_fit_is_refused(shape, forgotten, message):
    wrong = ForgetRequest(image_shape=shape, forget_classes=(forgotten,))
    with pytest.raises(ValueError, match=message):
        run(Emmn(**SHORT), trained_convnet(), wrong)
