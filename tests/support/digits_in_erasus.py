"""Class 3 of the digits forgotten by Erasus with our methods; run as a program.

python digits_in_erasus.py NAME...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from erasus import ErasusUnlearner
from harness_cases import class_three
from torch.utils.data import DataLoader

from benchmark_adapters.architectures.digits_convnet import digits_convnet
from benchmark_adapters.harnesses import erasus


def main(names):
    erasus.register()
    erasus.register()
    request, report = class_three(), {}
    forget, retain = (DataLoader(part, 64) for part in (request.forget, request.retain))
    for name in names:
        net = digits_convnet()
        net.load_state_dict(torch.load("original.pt"))
        unlearner = ErasusUnlearner(
            net, strategy=name, strategy_kwargs={"forget_classes": (3,), "seed": 7}, device="cpu"
        )
        result = unlearner.fit(forget, retain)
        torch.save(result.model.state_dict(), f"{name}.pt")
        before, after = (
            [accuracy(model, part) for part in (request.forget, request.retain)]
            for model in (net, result.model)
        )
        report[name] = [before, after]
    Path("report.json").write_text(json.dumps({"names": list(erasus.names()), **report}))


@torch.no_grad()
def accuracy(model, part):
    model.eval()
    hits = [model(images).argmax(1) == labels for images, labels in DataLoader(part, 256)]
    return float(torch.cat(hits).double().mean())


if __name__ == "__main__":
    main(sys.argv[1:])
