"""SGD and Adam without the compiler: bit by bit torch's own."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from suli_plugin import optimizers


def trained(kind, options):
    """Weights after nine steps, with a schedule; the optimiser is made anew from its state once."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    images, labels = torch.randn(9, 16, 4), torch.randint(0, 3, (9, 16))
    optimizer = kind(model.parameters(), lr=0.1, **options)
    scheduler = OneCycleLR(optimizer, 0.1, total_steps=9)
    for step in range(9):
        if step == 5:
            state = optimizer.state_dict()
            optimizer = kind(model.parameters(), lr=0.5, **options)
            optimizer.load_state_dict(state)
            scheduler = None
        optimizer.zero_grad()
        assert all(weight.grad is None for weight in model.parameters())
        nn.functional.cross_entropy(model(images[step]), labels[step]).backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return model.state_dict()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {}),
        ("SGD", {"momentum": 0.9, "weight_decay": 5e-4, "nesterov": True}),
        ("Adam", {}),
        ("Adam", {"weight_decay": 5e-4, "amsgrad": True, "betas": (0.8, 0.9)}),
    ],
)
def test_every_weight_is_torchs(name, options):
    ours = trained(getattr(optimizers, name), options)
    theirs = trained(getattr(torch.optim, name), options)
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())


@pytest.mark.parametrize(
    ("module", "imports"), [("suli_plugin.optimizers", False), ("torch.optim", True)]
)
def test_a_step_imports_no_compiler(module, imports):
    code = f"""
import sys
import torch
from {module} import SGD, Adam
for kind in (SGD, Adam):
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = kind([weight], lr=0.1)
    optimizer.zero_grad()
    weight.sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(imports)
