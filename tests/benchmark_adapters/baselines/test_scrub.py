"""SCRUB: max-epochs and min-epochs in turn, and the rewinding of SCRUB+R."""

from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from characteristic import characteristic
from hypothesis import given
from hypothesis import strategies as st
from small_problem import request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines.finetune import FineTune
from benchmark_adapters.baselines.rewinding import Checkpoints
from benchmark_adapters.baselines.scrub import Scrub
from suli_plugin import ForgetRequest, evaluate, run

WHOLE = {"batch_size": 1000, "forget_batch_size": 1000}
QUICK = Scrub(epochs=4, max_epochs=3, batch_size=64)


def kl(student, teacher, temperature):
    """T^2 KL(teacher || student), the mean over the batch, as the repository has it."""
    divergence = nn.KLDivLoss(reduction="batchmean")
    soft = (teacher / temperature).softmax(1)
    return temperature**2 * divergence((student / temperature).log_softmax(1), soft)


def accuracy(model, images):
    return evaluate(model, images, Accelerator()).accuracy()


@pytest.mark.parametrize("batch_norm", ["update", "frozen"])
def test_epochs_are_those_of_a_plain_loop(batch_norm):
    wanted, student, teacher = request("class-wise"), trained_convnet(), trained_convnet()
    (forget, _), (retain, labels) = tensors(wanted.forget), tensors(wanted.retain)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    student.train(batch_norm == "update")

    def step(loss, rate):
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    with torch.no_grad():
        of_forget, of_retain = teacher.eval()(forget), teacher(retain)
    for epoch in (1, 2, 3):
        rate = 0.01 if epoch == 1 else 0.001
        if epoch <= 2:
            step(-kl(student(forget), of_forget, 4.0), rate)
        logits = student(retain)
        loss = 0.9 * nn.functional.cross_entropy(logits, labels) + 0.5 * kl(logits, of_retain, 4.0)
        step(loss, rate)
    method = Scrub(**WHOLE, alpha=0.5, gamma=0.9, lr=0.01, decay_epochs=(1,), batch_norm=batch_norm)
    ours = run(method, trained_convnet(), wanted).model.state_dict()
    for name, value in student.state_dict().items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)


def test_without_max_epochs_and_distillation_it_is_fine_tuning():
    retain = ForgetRequest(retain=request("class-wise").retain)
    recipe = {"epochs": 2, "batch_size": 64, "lr": 0.02}
    method = Scrub(max_epochs=0, alpha=0.0, gamma=1.0, decay_epochs=(), **recipe)
    assert method.resources("class-wise") == {"retain"}
    ours = run(method, trained_convnet(), retain).model.state_dict()
    theirs = run(FineTune(**recipe), trained_convnet(), retain).model.state_dict()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value)


def no_max_term(patch):
    patch.setattr(Scrub, "_away", lambda self, logits, *_: 0 * logits.sum(1))


@characteristic(no_max_term)
def test_max_epochs_drive_the_class_away_from_the_original():
    wanted = request("class-wise")
    model = run(QUICK, trained_convnet(), wanted).model
    assert accuracy(model, wanted.forget) < 0.5
    assert accuracy(model, wanted.retain) > 0.8
    kept = run(replace(QUICK, max_epochs=0), trained_convnet(), wanted).model
    assert accuracy(kept, wanted.forget) == 1


def test_the_first_max_step_has_no_gradient_where_batch_norm_is_frozen():
    wanted = request("instance-wise")
    still = Scrub(
        epochs=1, max_epochs=1, alpha=0, gamma=0, weight_decay=0, lr=1.0, **WHOLE,
        batch_norm="frozen",
    )  # fmt: skip
    moved = run(still, trained_convnet(), wanted)
    for one, other in zip(moved.model.parameters(), trained_convnet().parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    assert abs(moved.history[0].loss) < 1e-5
    # Batch statistics differ from the running ones: the divergence is not at its smallest.
    assert run(replace(still, batch_norm="update"), trained_convnet(), wanted).history[0].loss < 0


def test_rewinding_takes_the_state_of_the_epoch_that_it_says():
    wanted = request("class-wise", label=8)
    method = replace(QUICK, rewind=True, lr=2e-4)
    rewound = run(method, trained_convnet(), wanted)
    final = run(replace(method, rewind=False), trained_convnet(), wanted).model
    of_class = wanted.reference.subset(torch.where(wanted.reference.labels == 8)[0])
    assert rewound.notes["aim"] == accuracy(final, of_class)
    chosen, accuracies = rewound.notes["rewound_to_epoch"], rewound.notes["forget_accuracies"]
    assert 1 < chosen < method.epochs == len(accuracies)
    distances = [abs(one - rewound.notes["aim"]) for one in accuracies]
    assert distances[chosen - 1] == min(distances) < max(distances)
    shorter = run(replace(method, rewind=False, epochs=chosen), trained_convnet(), wanted).model
    for name, value in shorter.state_dict().items():
        assert torch.equal(rewound.model.state_dict()[name], value)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.floats(0, 1))
def test_the_earliest_of_the_closest_states_is_there(fifths, aim):
    checkpoints = Checkpoints()
    for epoch, fifth in enumerate(fifths, start=1):
        layer = nn.Linear(1, 1)
        nn.init.constant_(layer.weight, float(epoch))
        checkpoints.add(layer, fifth / 5)
    chosen = checkpoints.closest(aim)
    best = min(abs(fifth / 5 - aim) for fifth in fifths)
    assert chosen == min(e for e, f in enumerate(fifths, 1) if abs(f / 5 - aim) == best)
    assert float(checkpoints.states[chosen]["weight"]) == chosen
    assert len(checkpoints.states) == len(set(fifths))


def test_rewinding_without_reference_images_of_the_class_is_refused():
    wanted = request("class-wise")
    others = wanted.reference.subset(torch.where(wanted.reference.labels != 3)[0])
    method = Scrub(rewind=True)
    assert "reference" in method.resources("class-wise")
    assert "reference" not in Scrub().resources("class-wise")
    with pytest.raises(ValueError, match=r"forget set's classes \(3\), and the reference set"):
        run(method, trained_convnet(), replace(wanted, reference=others))


def test_the_presets_have_the_codes_values():
    assert Scrub.preset("official", "class-wise") == Scrub()
    samples = Scrub.preset("official", "instance-wise")
    values = (samples.alpha, samples.gamma, samples.epochs, samples.max_epochs, samples.temperature)
    assert values == (0.5, 1.0, 5, 3, 4.0)
    assert Scrub.preset("rewind", "instance-wise") == replace(samples, rewind=True)
    small, rum = Scrub.preset("small", "class-wise"), Scrub.preset("rum", "class-wise")
    assert (small.optimizer, small.weight_decay, small.temperature) == ("adam", 0.1, 2.0)
    assert (rum.lr, rum.max_epochs, rum.decay_epochs) == (5e-3, 5, ())
