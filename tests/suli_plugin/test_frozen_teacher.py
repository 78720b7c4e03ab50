"""A teacher that does not learn: one pass over plain images, a pass a view over augmented ones."""

import pytest
import torch
from accelerate import Accelerator
from small_problem import request, tensors, trained_convnet
from torch import nn

from suli_plugin import ImageSet, Session
from suli_plugin.frozen_teacher import FrozenTeacher, divergence


def flipped(images):
    return ImageSet(
        images._store, mean=(0.3055,), std=(0.3756,), augment=lambda x, _: x.flip(-1), kind="forget"
    ).subset(images._rows)


def session_of(**options):
    return Session(accelerator=Accelerator(cpu=True), **options)


def losses_of(rounds, session, model):
    """What the terms of one round say of the logits that the student gives."""
    (round_,) = rounds
    seen = []
    for (term,) in round_.steps:
        batch = term.images.batch(term.positions, session.device, session.augmentation)
        with torch.no_grad():
            seen.append(term.loss(session.forward(model, batch), batch))
    return torch.cat(seen)


@pytest.mark.parametrize("augmented", [False, True])
def test_it_answers_as_the_model_was_whatever_becomes_of_the_model(augmented):
    session, student = session_of(), trained_convnet(seed=1)
    images = request("instance-wise").forget
    images = flipped(images) if augmented else images.of_kind("forget")
    teacher = FrozenTeacher(student, session, images)
    nn.init.zeros_(student[-1].weight)
    pixels, _ = tensors(images)
    batch = images.batch(torch.arange(5, 25), session.device)
    answer = teacher.logits(images, batch)
    torch.testing.assert_close(answer, trained_convnet(seed=1)(pixels[5:25]).detach())
    assert not answer.requires_grad


@pytest.mark.parametrize("augmented", [False, True])
def test_its_passes_are_one_a_set_or_one_a_view(augmented):
    session, model = session_of(), trained_convnet()
    images = request("instance-wise").forget
    images = flipped(images) if augmented else images.of_kind("forget")
    teacher = FrozenTeacher(model, session, images)
    rounds = teacher.epochs(images, lambda _, taught, __: taught.sum(1), epochs=3, batch_size=16)
    assert len(list(rounds)) == 3
    assert session.passes.forward == {"forget": len(images) * (3 if augmented else 1)}


def test_predictions_that_are_there_already_save_the_pass():
    session, model = session_of(), trained_convnet()
    images = request("instance-wise").forget.of_kind("forget")
    before = session.predict(model, images)
    teacher = FrozenTeacher(model, session, images, before=before)
    assert session.passes.forward == {"forget": len(images)}
    batch = images.batch(torch.arange(3), session.device)
    assert torch.equal(teacher.logits(images, batch), before.logits[:3])


def test_the_teacher_sees_the_view_that_the_student_sees():
    session, model = session_of(), trained_convnet()
    images = flipped(request("instance-wise").forget)
    teacher = FrozenTeacher(model, session, images)

    def difference(logits, taught, batch):
        return (logits - taught).abs().amax(1)

    rounds = teacher.epochs(images, difference, epochs=1, batch_size=20)
    assert float(losses_of(rounds, session, model.eval()).max()) < 1e-5
    plain = FrozenTeacher(model, session, images, before=None)
    unflipped = images.batch(torch.arange(20), session.device)
    seen = images.batch(torch.arange(20), session.device, session.augmentation)
    assert not torch.allclose(plain.logits(images, unflipped), plain.logits(images, seen))


def test_a_class_that_was_forgotten_earlier_is_no_target():
    session, model = session_of(forgotten_before=(5, 7)), trained_convnet()
    images = request("instance-wise").forget.of_kind("forget")
    batch = images.batch(torch.arange(9), session.device)
    taught = FrozenTeacher(model, session, images).logits(images, batch)
    assert bool((taught[:, [5, 7]] == -torch.inf).all())
    kept = [0, 1, 2, 3, 4, 6, 8, 9]
    assert bool(taught[:, kept].isfinite().all())
    logits = torch.zeros(9, 10, requires_grad=True)
    divergence(taught, logits, temperature=2.0).sum().backward()
    # Descent lowers the logits of both.
    assert bool((logits.grad[:, [5, 7]] > 0).all())


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_divergence_is_kl_of_the_softened_distributions(temperature):
    draw = torch.Generator().manual_seed(0)
    taught, logits = 3 * torch.randn(2, 6, 5, generator=draw)
    p = (taught / temperature).softmax(1)
    q = (logits / temperature).softmax(1)
    torch.testing.assert_close(
        divergence(taught, logits, temperature=temperature), (p * (p / q).log()).sum(1)
    )
    assert float(divergence(taught, taught, temperature=temperature).abs().max()) < 1e-6


def test_the_sets_of_a_request_are_told_apart():
    asked = request("class-wise")
    session, model = session_of(), trained_convnet()
    one, other = asked.forget.of_kind("forget"), asked.retain.of_kind("retain")
    teacher = FrozenTeacher(model, session, one, other)
    for images in (one, other):
        batch = images.batch(torch.arange(4), session.device)
        torch.testing.assert_close(teacher.logits(images, batch), model(batch.images).detach())
    assert session.passes.forward == {"forget": len(one), "retain": len(other)}
