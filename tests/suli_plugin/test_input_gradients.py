"""Gradients by the input, what they are worth in bf16, and their own gradients by the weights."""

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problem import request, trained_convnet
from torch import nn

from suli_plugin.images import Batch
from suli_plugin.input_gradients import differentiable_images, squared_sensitivity
from suli_plugin.rounds import Round, Term
from suli_plugin.training import Trainer

CPU = torch.device("cpu")


def batch_of(images):
    zeros = torch.zeros(len(images), dtype=torch.int64)
    return Batch(images, zeros, torch.arange(len(images)), "forget")


def sensitivity_of(model, images, output=0):
    batch = batch_of(images)
    with differentiable_images(batch):
        logits = model(batch.images)
    return squared_sensitivity(logits[:, output], batch.images)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), batch=st.integers(1, 5))
def test_of_a_linear_model_it_is_the_squared_norm_of_the_row(seed, batch):
    draw = torch.Generator().manual_seed(seed)
    layer = nn.Linear(12, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(3, 12, generator=draw))
    model = nn.Sequential(nn.Flatten(), layer)
    got = sensitivity_of(model, torch.randn(batch, 3, 2, 2, generator=draw))
    expected = layer.weight[0].square().sum()
    torch.testing.assert_close(got, expected.expand(batch))
    got.mean().backward()
    torch.testing.assert_close(layer.weight.grad[0], 2 * layer.weight.detach()[0])
    assert layer.weight.grad[1:].abs().max() == 0


def test_its_gradient_by_the_weights_is_that_of_finite_differences():
    draw = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(16, 2)).double()
    images = torch.rand(3, 1, 4, 4, generator=draw, dtype=torch.float64)

    def total():
        return sensitivity_of(model, images.clone()).sum()

    total().backward()
    with torch.no_grad():
        for weight in (model[0].weight, model[3].weight):
            direction = torch.randn(weight.shape, generator=draw, dtype=torch.float64)
            weight += 1e-5 * direction
            with torch.enable_grad():
                above = float(total().detach())
            weight -= 2e-5 * direction
            with torch.enable_grad():
                below = float(total().detach())
            weight += 1e-5 * direction
            slope = float((weight.grad * direction).sum())
            assert abs((above - below) / 2e-5 - slope) < 1e-6 * max(1, abs(slope))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.inward, self.outward = nn.Linear(4, 12), nn.Linear(4, 2)

    def forward(self, images):
        query, key, value = self.inward(images.flatten(2).transpose(1, 2)).chunk(3, dim=2)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        return self.outward(mixed.mean(1))


def test_attention_can_be_differentiated_twice():
    model = Attention()
    sensitivity_of(model, torch.rand(2, 4, 3, 3)).sum().backward()
    assert model.inward.weight.grad.abs().max() > 0


def test_a_term_in_full_precision_is_float32_in_a_bf16_run():
    forget = request("class-wise").forget

    def loss(logits, batch):
        return squared_sensitivity(logits[:, 3], batch.images)

    def step(precision, full):
        AcceleratorState._reset_state(True)
        GradientState._reset_state()
        model = trained_convnet()
        term = Term(
            forget, torch.arange(8), loss, around=differentiable_images, full_precision=full
        )
        trainer = Trainer(Accelerator(mixed_precision=precision, cpu=True))
        sgd = lambda parameters: torch.optim.SGD(parameters, lr=1e-4)  # noqa: E731
        trainer.train(model, [Round([[term]])], sgd, batch_norm="frozen")
        AcceleratorState._reset_state(True)
        GradientState._reset_state()
        return torch.cat([parameter.flatten() for parameter in model.parameters()])

    exact = step("no", False)
    assert torch.equal(step("bf16", True), exact)
    assert not torch.equal(step("bf16", False), exact)
