"""Several epochs of each method beside a plain transcription of what its source's code does.

Both train on the same tensors in the same order, with BatchNorm in training mode; parameters and
running statistics must be equal to round-off. SULI and SU are in `tests/suli_plugin/test_suli.py`,
the attacks on losses and confidences with the metrics.
"""

import copy
from itertools import islice

import pytest
import torch
from accelerate import Accelerator
from small_problem import CPU, request, tensors, trained_convnet
from torch import nn
from torch.nn.functional import cross_entropy

from benchmark_adapters.baselines.adv import Adv
from benchmark_adapters.baselines.adversarial_images import targeted_l2_pgd
from benchmark_adapters.baselines.boundary_shrink import BoundaryShrink
from benchmark_adapters.baselines.delete import Delete
from benchmark_adapters.baselines.neg_grad import NegGrad
from benchmark_adapters.baselines.neg_grad_plus import NegGradPlus
from benchmark_adapters.baselines.random_label import RandomLabel
from suli_plugin import Session, run
from suli_plugin.training import Trainer

SEED, EPOCHS, BATCH = 5, 3, 16
SHORT = {"epochs": EPOCHS, "batch_size": BATCH, "stop": "never"}
SCOPES = pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])


def orders(count, size, generator):
    """Batches of positions, in a new order each time round."""
    while True:
        yield from torch.randperm(count, generator=generator).split(size)


def fine_tuned(model, batches, optimizer, loss):
    """A copy of the model after one step a batch; `loss(student, batch)` is a scalar."""
    student = copy.deepcopy(model).train()
    steps = optimizer(student.parameters())
    for batch in batches:
        steps.zero_grad()
        loss(student, batch).backward()
        steps.step()
    return student


def all_epochs(count, generator):
    return islice(orders(count, BATCH, generator), EPOCHS * -(-count // BATCH))


def sgd(lr, momentum=0.9, weight_decay=0.0):
    return lambda p: torch.optim.SGD(p, lr=lr, momentum=momentum, weight_decay=weight_decay)


def assert_same(ours, published):
    state = published.state_dict()
    for key, value in ours.model.state_dict().items():
        torch.testing.assert_close(value, state[key], rtol=1e-4, atol=1e-5, msg=key)
    assert any(not torch.equal(v, trained_convnet().state_dict()[k]) for k, v in state.items())


def drawn():
    return torch.Generator().manual_seed(SEED)


@SCOPES
def test_neg_grad(scope):
    asked = request(scope)
    images, labels = tensors(asked.forget)
    published = fine_tuned(
        trained_convnet(), all_epochs(len(labels), drawn()), sgd(1e-3),
        lambda student, batch: -cross_entropy(student(images[batch]), labels[batch]),
    )  # fmt: skip
    method = NegGrad(lr=1e-3, max_grad_norm=1e9, **SHORT)
    assert_same(run(method, trained_convnet(), asked, seed=SEED), published)


def test_random_label():
    asked, generator = request("class-wise"), drawn()
    images, labels = tensors(asked.forget)
    # Uniform over the nine classes that are left, drawn once (Graves et al.).
    left = torch.ones(len(labels), 10)
    left[:, 3] = 0
    wrong = torch.multinomial(left, 1, generator=generator)[:, 0]
    published = fine_tuned(
        trained_convnet(), all_epochs(len(labels), generator),
        lambda parameters: torch.optim.Adam(parameters, lr=1e-4),
        lambda student, batch: cross_entropy(student(images[batch]), wrong[batch]),
    )  # fmt: skip
    assert_same(run(RandomLabel(lr=1e-4, **SHORT), trained_convnet(), asked, seed=SEED), published)


@SCOPES
def test_delete(scope):
    asked, teacher = request(scope), trained_convnet().eval()
    images, labels = tensors(asked.forget)

    def loss(student, batch):
        with torch.no_grad():
            logits = teacher(images[batch])
        logits[torch.arange(len(batch)), labels[batch]] = -1e10
        divergence = nn.KLDivLoss(reduction="batchmean")
        return divergence(student(images[batch]).log_softmax(1), logits.softmax(1))

    batches = all_epochs(len(labels), drawn())
    published = fine_tuned(trained_convnet(), batches, sgd(1e-2), loss)
    assert_same(run(Delete(lr=1e-2, **SHORT), trained_convnet(), asked, seed=SEED), published)


def test_boundary_shrink():
    asked, frozen, epsilon = request("class-wise"), trained_convnet().eval(), 0.2
    images, labels = tensors(asked.forget)
    deviation = asked.forget.std.flatten()
    mean = asked.forget.mean.flatten()
    pixels = (images * deviation + mean).requires_grad_()
    cross_entropy(frozen((pixels - mean) / deviation), labels).backward()
    moved = (pixels.detach() + epsilon * pixels.grad.sign()).clamp(0, 1)
    nearest = frozen((moved - mean) / deviation).argmax(1)
    assert bool((nearest != labels).any())
    published = fine_tuned(
        trained_convnet(), all_epochs(len(labels), drawn()), sgd(1e-2),
        lambda student, batch: cross_entropy(student(images[batch]), nearest[batch]),
    )  # fmt: skip
    method = BoundaryShrink(lr=1e-2, epsilon=epsilon, **SHORT)
    assert_same(run(method, trained_convnet(), asked, seed=SEED), published)


def test_neg_grad_plus():
    asked, generator, alpha = request("instance-wise"), drawn(), 0.9
    (kept, kept_labels), (lost, lost_labels) = tensors(asked.retain), tensors(asked.forget)
    forget = orders(len(lost), 16, generator)

    def batches():
        for _ in range(2):
            for retain in torch.randperm(len(kept), generator=generator).split(128):
                yield retain, next(forget)

    def loss(student, batch):
        retain, other = batch
        own = cross_entropy(student(kept[retain]), kept_labels[retain])
        return alpha * own - (1 - alpha) * cross_entropy(student(lost[other]), lost_labels[other])

    published = fine_tuned(trained_convnet(), batches(), sgd(1e-2, momentum=0.0), loss)
    method = NegGradPlus(
        alpha=alpha, epochs=2, batch_size=128, forget_batch_size=16, lr=1e-2, momentum=0.0
    )
    assert_same(run(method, trained_convnet(), asked, seed=SEED), published)


def test_adv_forwards_its_adversarial_images_first(monkeypatch):
    """In the other order the running statistics end elsewhere, as the last lines show."""
    steps, train = [], Trainer.train

    def watching(trainer, model, rounds, *others, **options):
        rounds = list(rounds)
        steps.extend(step for round_ in rounds for step in round_.steps)
        return train(trainer, model, rounds, *others, **options)

    monkeypatch.setattr(Session, "train", watching)
    asked = request("instance-wise")
    method = Adv(
        epochs=2, stop="never", adversarial_images=2, iterations=5, batch_size=BATCH,
        adversarial_batch_size=40,
    )  # fmt: skip
    ours = run(method, trained_convnet(), asked, seed=SEED)
    images, labels = tensors(asked.forget)
    adversarial, targets = tensors(steps[0][0].images)

    def published(order):
        def loss(student, step):
            others, own = (term.positions for term in step)
            batches = {"adversarial": adversarial[others], "forget": images[own]}
            logits = {name: student(batches[name]) for name in order}
            total = len(own) + len(others)
            ascent = -cross_entropy(logits["forget"], labels[own]) * len(own) / total
            descent = cross_entropy(logits["adversarial"], targets[others])
            return ascent + descent * len(others) / total

        optimizer = sgd(method.lr, weight_decay=method.weight_decay)
        return fine_tuned(trained_convnet(), steps, optimizer, loss)

    assert len(steps) == 8
    assert_same(ours, published(("adversarial", "forget")))
    turned = published(("forget", "adversarial")).state_dict()["1.running_mean"]
    assert not torch.allclose(ours.model[1].running_mean, turned, atol=1e-4)


def test_targeted_l2_pgd():
    forget = request("instance-wise", count=20).forget
    images, labels = tensors(forget)
    deviation, mean = forget.std.flatten(), forget.mean.flatten()
    natural, targets, radius, step = images * deviation + mean, (labels + 1) % 10, 2.0, 0.3
    model = trained_convnet().eval()

    def norms(of):
        return of.flatten(1).norm(dim=1).view(-1, 1, 1, 1)

    def into_ball(delta):
        return delta * (radius / norms(delta)).clamp(max=1)

    start = torch.rand(natural.shape, generator=torch.Generator().manual_seed(0))
    delta = into_ball(start - natural)
    for _ in range(10):
        moved = (natural + delta).requires_grad_()
        cross_entropy(model((moved - mean) / deviation), targets).backward()
        delta = (natural + delta - step * moved.grad / norms(moved.grad)).clamp(0, 1) - natural
        delta = into_ball(delta)
    pixels = type(forget).of_tensors(
        natural, labels, mean=mean.tolist(), std=deviation.tolist(), kind="forget"
    )
    session = Session(accelerator=Accelerator(cpu=True), method="adv")
    made = targeted_l2_pgd(
        session, model, pixels, targets, radius=radius, step=step, iterations=10
    ).images
    found, _ = made.pixels(torch.arange(20), CPU)
    torch.testing.assert_close(found, natural + delta, rtol=1e-4, atol=1e-4)
