"""Run by test_processes under torchrun: unlearn in one or two processes and save what came out."""

import os
import sys
from dataclasses import replace

import torch
from accelerate import Accelerator
from short_methods import our_methods, short
from small_problem import recorded, request, tensors, trained_convnet

from benchmark_adapters.baselines.adv_imp import AdvImp
from benchmark_adapters.baselines.boundary_shrink import BoundaryShrink
from benchmark_adapters.baselines.finetune import FineTune
from benchmark_adapters.baselines.neg_grad import NegGrad
from benchmark_adapters.baselines.neg_grad_plus import NegGradPlus
from suli_plugin import SU, SULI, evaluate, run
from suli_plugin.request import TRAINING_RECORDS


def main(case, path, device="cpu"):
    accelerator = Accelerator(cpu=device == "cpu")
    # A GPU rounds the factors of a convolution where it may.
    torch.backends.cudnn.allow_tf32 = False
    policy = "update" if case == "moving_buffers" else "frozen"
    model = trained_convnet(batch_norm=case != "without_batch_norm")
    methods = all_methods() if case == "all_methods" else chosen_methods(policy)
    check_evaluation(accelerator, trained_convnet(), request("class-wise").forget)
    results = {}
    for method, scope in methods:
        original, asked = model, request(scope)
        if method.resources(scope) & set(TRAINING_RECORDS):
            original, asked = recorded(scope)
        result = run(method, original, asked, accelerator=accelerator, seed=5)
        state = {key: value.double() for key, value in result.model.state_dict().items()}
        for value in state.values():
            mean = accelerator.reduce(value.clone(), "mean")
            torch.testing.assert_close(value, mean, rtol=0, atol=1e-12)
        results[method.name] = {
            "state": {key: value.cpu() for key, value in state.items()},
            "stop_reason": result.stop_reason,
            "layers": [entry.layer for entry in result.history],
            "accuracies": [entry.forget_accuracy for entry in result.history],
            "passes": result.passes,
            "processes": result.processes,
        }
    if accelerator.is_main_process:
        torch.save(results, path)
    # Whoever leaves while the other still writes may take the other's connection along.
    accelerator.wait_for_everyone()
    # All is written and compared. Gloo's threads sometimes abort a process that takes its group
    # down while the other still does, which says nothing about unlearning.
    os._exit(0)


def all_methods():
    """Every method, in a few steps, class-wise if it can; BatchNorm frozen where it trains."""
    for cls in our_methods():
        method = short(cls(), epochs=1, iterations=2, sweeps=1)
        if hasattr(method, "batch_norm"):
            method = replace(method, batch_norm="frozen")
        yield method, next(iter(cls.needs))


def chosen_methods(policy):
    return [
        # Layers of 7 samples cannot be halved evenly; SGD-like sizes keep round-off small.
        (
            SULI(n_layers=None, layer_size=7, inner_steps=1, sweeps=2, batch_norm=policy),
            "class-wise",
        ),
        (SU(epochs=4, batch_size=32, batch_norm=policy), "instance-wise"),
        (NegGrad(epochs=2, batch_size=33, batch_norm=policy), "class-wise"),
        (FineTune(epochs=1, batch_size=50, batch_norm=policy), "class-wise"),
        # Every process attacks all images itself, with the same random numbers.
        (BoundaryShrink(epochs=2, batch_size=33, batch_norm=policy), "class-wise"),
        (
            AdvImp(epochs=2, adversarial_images=2, iterations=5, batch_norm=policy),
            "instance-wise",
        ),
        (NegGradPlus(epochs=1, batch_size=50, batch_norm=policy), "class-wise"),
    ]


def check_evaluation(accelerator, model, images):
    """Logits and features, gathered in order, are those of one forward pass."""
    got = evaluate(model.to(accelerator.device), images, accelerator, features=True)
    model.cpu()
    with torch.no_grad():
        features = model[:-1](tensors(images)[0])
        torch.testing.assert_close(got.features, features)
        torch.testing.assert_close(got.logits, model[-1](features))


if __name__ == "__main__":
    main(*sys.argv[1:])
