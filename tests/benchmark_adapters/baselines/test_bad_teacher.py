"""Bad Teacher: an untrained network for the forget set, the original for some retain images."""

from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from characteristic import characteristic
from small_problem import convnet, request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines.bad_teacher import BadTeacher
from suli_plugin import ImageSet, Session, evaluate, run

QUICK = BadTeacher(epochs=20, batch_size=32, lr=1e-3)


def asked(scope):
    """A request whose untrained networks are all the same one."""
    return replace(request(scope), fresh_model=lambda: convnet(seed=5))


def of_the_untrained(model, images):
    """The mean KL from the untrained network's answers to the model's."""
    pixels, _ = tensors(images)
    with torch.no_grad():
        expected = convnet(seed=5).eval()(pixels).softmax(1)
        return float(nn.KLDivLoss(reduction="batchmean")(model(pixels).log_softmax(1), expected))


@pytest.mark.parametrize("batch_norm", ["update", "frozen"])
def test_an_epoch_is_that_of_a_plain_loop(batch_norm):
    wanted, student, teacher = asked("class-wise"), trained_convnet(), trained_convnet()
    draw = torch.Generator().manual_seed(0)
    drawn = torch.randperm(len(wanted.retain), generator=draw)[: int(0.3 * len(wanted.retain))]
    forget, retain = tensors(wanted.forget)[0], tensors(wanted.retain)[0][drawn]
    with torch.no_grad():
        targets = torch.cat([convnet(seed=5).eval()(forget), teacher(retain)]).softmax(1)
    images = torch.cat([forget, retain])
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-4)
    student.train(batch_norm == "update")
    for rows in torch.randperm(len(images), generator=draw).split(50):
        loss = nn.functional.kl_div(
            student(images[rows]).log_softmax(1), targets[rows], reduction="batchmean"
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    result = run(BadTeacher(batch_size=50, batch_norm=batch_norm), trained_convnet(), wanted)
    ours = result.model.state_dict()
    for name, value in student.state_dict().items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)
    # A pass of each teacher, and the step's.
    assert result.passes["forward"] == {"forget": 2 * len(forget), "retain": 2 * len(retain)}
    assert result.passes["backward"] == {"forget": len(forget), "retain": len(retain)}
    assert result.notes == {"retain_images": len(retain)}


def no_incompetence(patch):
    patch.setattr(Session, "fresh_model", property(lambda session: trained_convnet))


@characteristic(no_incompetence)
def test_forget_images_get_the_answers_of_the_untrained_network():
    wanted, before = asked("class-wise"), trained_convnet()
    after = run(QUICK, before, wanted).model
    far, near = (of_the_untrained(model, wanted.forget) for model in (before, after))
    assert near < 0.2 * far
    accuracies = [
        evaluate(after, images, Accelerator()).accuracy()
        for images in (wanted.forget, wanted.retain)
    ]
    assert accuracies[0] < 0.3 and accuracies[1] > 0.95


def test_with_the_original_as_both_teachers_there_is_nothing_to_learn():
    wanted = replace(request("class-wise"), fresh_model=trained_convnet)
    method = BadTeacher(batch_norm="frozen")
    (entry,) = run(method, trained_convnet(), wanted).history
    assert abs(entry.loss) < 1e-6
    (entry,) = run(method, trained_convnet(), asked("class-wise")).history
    assert entry.loss > 0.1


def test_the_share_is_drawn_once_and_nothing_else_is_read():
    seen, wanted = set(), asked("instance-wise")

    class Noting(ImageSet):
        def batch(self, positions, device, augment_with=None):
            rows = positions if self._rows is None else self._rows[positions]
            seen.update(rows.tolist())
            return super().batch(positions, device, augment_with)

        def _twin(self):
            twin = super()._twin()
            twin.__class__ = Noting
            return twin

    retain = wanted.retain.subset(torch.arange(len(wanted.retain)))
    retain.__class__ = Noting
    run(replace(QUICK, epochs=3), trained_convnet(), replace(wanted, retain=retain))
    # One more for the look at a first image that every run begins with.
    assert int(0.3 * len(retain)) <= len(seen) <= int(0.3 * len(retain)) + 1


def test_both_teachers_see_the_augmented_images():
    wanted = asked("class-wise")

    def flipped(images, kind):
        store, rows = images._store, images._rows
        return ImageSet(
            store, mean=(0.3055,), std=(0.3756,), augment=lambda x, _: x.flip(-1), kind=kind
        ).subset(rows)

    views = replace(
        wanted, forget=flipped(wanted.forget, "forget"), retain=flipped(wanted.retain, "retain")
    )
    method = BadTeacher(batch_size=1000, batch_norm="frozen", retain_share=1.0)
    (entry,) = run(method, trained_convnet(), views).history
    (forget, _), (retain, _) = tensors(wanted.forget), tensors(wanted.retain)
    expected = of_the_untrained(trained_convnet(), ImageSet.of_tensors(
        forget.flip(-1), torch.zeros(len(forget))
    )) * len(forget) / (len(forget) + len(retain))  # fmt: skip
    assert entry.loss == pytest.approx(expected, rel=1e-4)


def test_the_official_preset_has_the_notebooks_values():
    preset = BadTeacher.preset("official", "class-wise")
    values = (preset.lr, preset.epochs, preset.batch_size, preset.retain_share, preset.temperature)
    assert values == (1e-4, 1, 256, 0.3, 1.0)
