"""Class 3 of the digits forgotten by DeepUnlearn's own step 5; run as a program in a free folder.

python digits_in_deepunlearn.py CLONE
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import torch
from harness_cases import class_three
from hydra.utils import instantiate
from torch.utils.data import DataLoader

from benchmark_adapters.architectures.digits_convnet import digits_convnet

UNLEARNER = {
    "_target_": "benchmark_adapters.harnesses.deepunlearn.SULI",
    "device": "cpu",
    "preset": "official",
    "settings": {"sweeps": 3},
    "forget_classes": [3],
    "seed": 7,
}


def step_5(clone):
    spec = importlib.util.spec_from_file_location("step_5", clone / "pipeline/step_5_unlearn.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(clone):
    from munl.configurations import DefaultUnlearnerConfig, cifar10_conf, resnet18_conf

    app = step_5(clone).UnlearnerApp(
        dataset_cfg=cifar10_conf,
        unlearner=instantiate({**UNLEARNER, "cfg": DefaultUnlearnerConfig()}),
        model_cfg=resnet18_conf,
        model_seed=0,
        random_state=123,
    )
    net = digits_convnet()
    net.load_state_dict(torch.load("original.pt"))
    request = class_three()
    retain, forget, val = (
        DataLoader(part, 64, shuffle=True)
        for part in (request.retain, request.forget, request.reference)
    )
    loaders = [None, retain, forget, val, None]
    app.run_from_model_and_loaders(
        Path(), net, loaders, save=True, save_path=Path("kept"), unlearner_name="suli"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
