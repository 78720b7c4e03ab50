"""l1-sparse: fine-tuning whose weights shrink, less from epoch to epoch."""

import copy
from itertools import pairwise

import pytest
import torch
from characteristic import characteristic
from hypothesis import given
from hypothesis import strategies as st
from small_problem import request, tensors, trained_convnet
from torch.nn.functional import cross_entropy

from benchmark_adapters.baselines import l1_sparse
from benchmark_adapters.baselines.finetune import FineTune
from benchmark_adapters.baselines.l1_sparse import L1Sparse
from suli_plugin import ForgetRequest, run

QUICK = {"epochs": 3, "batch_size": 64}
SEED = 5


def norm(model):
    return sum(weight.abs().sum().item() for weight in model.parameters())


def unlearned(**options):
    return run(L1Sparse(**QUICK, **options), trained_convnet(), request("class-wise"), seed=SEED)


def nothing(weights):
    return 0 * weights[0].sum()


@characteristic(lambda patch: patch.setattr(l1_sparse, "l1_norm", nothing))
def test_the_stronger_the_penalty_the_smaller_the_weights():
    norms = [norm(unlearned(alpha=alpha).model) for alpha in (0.0, 3e-3, 1e-2, 1e-1)]
    assert all(smaller < 0.995 * larger for larger, smaller in pairwise(norms)), norms


def test_without_penalty_it_is_fine_tuning():
    ours = unlearned(alpha=0.0).model.state_dict()
    theirs = run(FineTune(**QUICK), trained_convnet(), request("class-wise"), seed=SEED)
    for name, value in theirs.model.state_dict().items():
        assert torch.equal(ours[name], value)


@given(
    alpha=st.floats(1e-6, 1),
    epochs=st.integers(1, 30),
    without=st.integers(0, 30),
)
def test_the_schedule_goes_down_in_equal_steps_to_zero(alpha, epochs, without):
    method = L1Sparse(alpha=alpha, epochs=epochs, epochs_without_penalty=without)
    strengths = [method.strength(epoch) for epoch in range(epochs + 1)]
    penalised = max(epochs - without, 0)
    assert strengths[penalised:] == [0.0] * (epochs + 1 - penalised)
    if penalised:
        assert strengths[0] == alpha
        for one, following in pairwise(strengths[: penalised + 1]):
            assert one - following == pytest.approx(alpha / penalised, rel=1e-6)


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
@pytest.mark.parametrize("without", [0, 1])
def test_epochs_are_those_of_a_plain_transcription(scope, without):
    wanted, student = request(scope), copy.deepcopy(trained_convnet()).train()
    images, labels = tensors(wanted.retain)
    draw = torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.SGD(student.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
    for epoch in range(3):
        alpha = max(0.02 * (1 - epoch / (3 - without)), 0.0)
        for batch in torch.randperm(len(labels), generator=draw).split(64):
            optimizer.zero_grad()
            everything = torch.cat([weight.flatten() for weight in student.parameters()])
            loss = cross_entropy(student(images[batch]), labels[batch])
            (loss + alpha * torch.linalg.vector_norm(everything, ord=1)).backward()
            optimizer.step()
    method = L1Sparse(alpha=0.02, epochs_without_penalty=without, **QUICK)
    ours = run(method, trained_convnet(), wanted, seed=SEED)
    for name, value in student.state_dict().items():
        torch.testing.assert_close(ours.model.state_dict()[name], value, rtol=1e-4, atol=1e-6)
    assert ours.notes["l1_norm"]["before"] == pytest.approx(norm(trained_convnet()), rel=1e-5)
    assert ours.notes["l1_norm"]["after"] == pytest.approx(norm(student), rel=1e-4)


def test_the_forget_set_is_not_asked_for():
    wanted = request("instance-wise")
    alone = ForgetRequest(retain=wanted.retain)
    assert run(L1Sparse(**QUICK), trained_convnet(), alone).passes["forward"].keys() == {"retain"}


def test_the_official_preset_has_the_command_lines_alpha():
    preset = L1Sparse.preset("official", "class-wise")
    assert (preset.alpha, preset.lr, preset.epochs) == (0.2, 0.01, 10)
