"""Answers as to unseen samples: log-odds of forget samples are distributed as the reference's."""

import pytest
import torch
from characteristic import characteristic
from small_problem import request, tensors, trained_convnet
from torch.nn.functional import kl_div

from benchmark_adapters.baselines import as_unseen
from benchmark_adapters.baselines.as_unseen import AsUnseen, unseen_odds
from suli_plugin import ForgetRequest, ImageSet, run
from suli_plugin.log_odds import label_odds


def mirrored(images, positions, generator, device):
    pixels, labels = images.pixels(positions, device)
    mean, std = (values.flatten().tolist() for values in (images.mean, images.std))
    return ImageSet.of_tensors(pixels.flip(3), labels, mean=mean, std=std)


def odds_of(model, images):
    with torch.no_grad():
        pixels, labels = tensors(images)
        probability = model(pixels).double().softmax(1).gather(1, labels[:, None]).squeeze(1)
    return (probability / (1 - probability)).log()


def test_odds_have_the_unseen_distribution_in_the_known_order():
    known, unseen = torch.tensor([9.0, 5.0, 7.0, 6.0]), torch.tensor([-2.0, 0.0, 1.0, 3.0, 4.0])
    made = unseen_odds(known, unseen)
    assert made.argsort().tolist() == known.argsort().tolist()
    torch.testing.assert_close(made, torch.quantile(unseen, torch.tensor([7, 1, 5, 3]) / 8))


def test_log_odds_are_those_of_the_probabilities():
    logits = torch.tensor([[2.0, 0.5, -1.0], [0.0, 60.0, 0.0]])
    labels = torch.tensor([0, 1])
    wanted = logits[0].double().softmax(0)[0]
    made = label_odds(logits, labels)
    assert float(made[0]) == pytest.approx(float((wanted / (1 - wanted)).log()), rel=1e-5)
    # Where the probability itself is 1 in float32.
    assert float(made[1]) == pytest.approx(60 - float(torch.tensor(2.0).log()), rel=1e-5)


def test_a_step_is_adams_on_the_sum_that_the_docstring_has(monkeypatch):
    monkeypatch.setattr(as_unseen, "views_of", mirrored)
    wanted, original, by_hand = request("instance-wise"), trained_convnet(), trained_convnet()
    (x, y), (r, _) = tensors(wanted.forget), tensors(wanted.reference)
    target = unseen_odds(odds_of(original, wanted.forget), odds_of(original, wanted.reference))
    size = original[:-1](r).detach().square().sum(1).mean()

    def held(a):
        far = (by_hand[:-1](a) - original[:-1](a).detach()).square().sum(1) / size
        q = original(a).detach().softmax(1)
        return (far + kl_div(by_hand(a).log_softmax(1), q, reduction="none").sum(1)).mean()

    off = label_odds(by_hand(x), y) - target.float()
    huber = torch.where(off.abs() < 1, off.square() / 2, off.abs() - 0.5).mean()
    loss = huber + 5 * held(r) + 5 * held(r.flip(3))
    loss.backward()
    torch.optim.Adam(by_hand.parameters(), lr=0.01 / 25).step()
    plan = AsUnseen(iterations=1, batch_size=10_000, lr=0.01, hold=5)
    made = run(plan, trained_convnet(), wanted)
    assert made.history[0].loss == pytest.approx(float(loss.detach()), rel=1e-4)
    for one, other in zip(made.model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def as_known(known, unseen):
    return known


@characteristic(lambda patch: patch.setattr(as_unseen, "unseen_odds", as_known))
def test_forget_samples_end_with_the_odds_of_unseen_ones():
    wanted, original = request("instance-wise"), trained_convnet()
    made = run(AsUnseen(lr=0.003), trained_convnet(), wanted).model
    target = unseen_odds(odds_of(original, wanted.forget), odds_of(original, wanted.reference))
    before, after = (
        (odds_of(model, wanted.forget) - target).abs().mean() for model in (original, made)
    )
    assert after < 0.35 * before, (before, after)


def test_the_forget_and_the_reference_set_are_all_it_needs():
    assert AsUnseen().resources("instance-wise") == {"forget", "reference"}
    with pytest.raises(ValueError, match="as_unseen"):
        run(AsUnseen(), trained_convnet(), request("class-wise"))


def test_normalised_images_whose_views_would_be_cut_are_refused():
    wanted = request("instance-wise")
    forget, reference = (
        ImageSet.of_tensors(*tensors(images)) for images in (wanted.forget, wanted.reference)
    )
    asked = ForgetRequest(forget=forget, reference=reference)
    with pytest.raises(ValueError, match=r"as_unseen works on .* in \[0, 1\]"):
        run(AsUnseen(), trained_convnet(), asked)
