"""Options of `suli unlearn` that say what the files of the original do not."""

import numpy as np
import pytest
import torch
from digits_as_images import UNLEARN, suli
from PIL import Image
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.deletion.receipt import read_receipt
from suli_plugin.randomness import seeded


@pytest.fixture(scope="module")
def gray(tmp_path_factory):
    """Gray digits of 8x8 pixels as PNG folders, and the bare state dict of a net that knows them.

    The architecture takes ten classes and no other number, which no file says.
    """
    from sklearn.datasets import load_digits

    place = tmp_path_factory.mktemp("gray")
    digits = load_digits()
    pixels = (digits.images[:300] * 15).astype(np.uint8)
    labels = torch.tensor(digits.target[:300])
    for row, label in enumerate(labels.tolist()):
        folder = place / "photos" / "train" / f"digit {label}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[row]).save(folder / f"{row}.png")
    images = (torch.tensor(pixels)[:, None].float() / 255 - 0.3) / 0.37
    with seeded(0, torch.device("cpu")):
        model = build_architecture("digits_convnet", 10)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(30):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
    torch.save(model.state_dict(), place / "net.pt")
    return place


def test_architecture_and_number_of_classes_reach_the_loader_and_the_receipt(gray, tmp_path):
    net, photos, out = gray / "net.pt", gray / "photos", tmp_path / "out"
    said = ("--architecture", "digits_convnet", "--mean", "0.3", "--std", "0.37")
    asked = (*UNLEARN, "--model", net, "--dataset", photos, "--forget-class", "digit 3",
             "--method", "suli", "--at-most", 1, "--output", out, *said)  # fmt: skip
    refused = suli(*asked, code=1).stderr.splitlines()[-1]
    assert "nothing here says its num_classes: pass --num-classes" in refused
    suli(*asked, "--num-classes", 10)
    given = read_receipt(out)["original"]["given"]
    assert given == {
        "architecture": "digits_convnet", "num_classes": 10, "mean": [0.3], "std": [0.37],
    }  # fmt: skip
    verified = suli("receipt", "verify", out, "--model", net, "--dataset", photos).stdout
    assert [line.split()[:2] for line in verified.splitlines() if "original" in line] == [
        ["matches", "original:"], ["matches", "metrics"],
    ]  # fmt: skip


def test_what_is_found_around_the_weights_is_used_and_said(gray, tmp_path):
    state = {f"1.{key}": value for key, value in torch.load(gray / "net.pt").items()}
    state["1.0.weight"] = state["1.0.weight"].double() + 1e-12
    state |= {"0.mean": torch.tensor([0.3]), "0.std": torch.tensor([0.37])}
    torch.save({"epoch": 30, "model": state}, tmp_path / "best.pth.tar")
    asked = ("unlearn", "--model", tmp_path / "best.pth.tar", "--dataset", gray / "photos")
    how = ("--forget-class", "digit 3", "--method", "suli", "--at-most", 1)
    how = (*how, "--output", tmp_path / "out")
    done = suli(*asked, *how, "--architecture", "digits_convnet", "--num-classes", 10)
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert notes[:2] == [
        "note: mean (0.3,) and std (0.37,) are those of the original's layer 0.mean and 0.std",
        "note: 0.weight of the original: double precision, which float32 keeps only nearly",
    ]
    assert read_receipt(tmp_path / "out")["original_metrics"]["forget_accuracy"] > 0.9
