"""An original of transformers comes back as a folder that transformers loads."""

import json

import pytest
import torch
from digits_as_images import NAMES, UNLEARN, suli
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.images.decoded_images import image_set
from benchmark_adapters.originals.load import load_original

transformers = pytest.importorskip("transformers", reason="the extra transformers is not installed")
MEAN, STD = [0.3] * 3, [0.37] * 3
PROCESSOR = {
    "image_processor_type": "ViTImageProcessor", "size": {"height": 16, "width": 16},
    "image_mean": MEAN, "image_std": STD, "do_resize": True,
}  # fmt: skip


@pytest.fixture
def net(digits, tmp_path):
    """A small ResNet of transformers that knows the digits, as transformers writes it."""
    torch.manual_seed(0)
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic",
        id2label=dict(enumerate(NAMES)), downsample_in_first_stage=False,
    )  # fmt: skip
    model = transformers.ResNetForImageClassification(config)
    images = image_set(load_base(digits, split="train"), mean=MEAN, std=STD)
    batch = images.batch(torch.arange(len(images)), torch.device("cpu"))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model.train()
    for _ in range(30):
        optimizer.zero_grad()
        model(batch.images, labels=batch.labels).loss.backward()
        optimizer.step()
    model.save_pretrained(tmp_path / "net")
    (tmp_path / "net" / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return tmp_path / "net"


def test_model_type_and_processor_are_kept_and_transformers_loads_it(net, digits, tmp_path):
    out = tmp_path / "out"
    suli(*UNLEARN, "--model", net, "--dataset", digits, "--forget-class", "three", "--method",
         "su", "--set", "epochs=1", "--output", out)  # fmt: skip
    loaded = transformers.AutoModelForImageClassification.from_pretrained(out)
    assert loaded.config.model_type == "resnet" and loaded.config.id2label[3] == "three"
    processor = transformers.AutoImageProcessor.from_pretrained(out)
    assert list(processor.image_mean) == MEAN
    ours = load_original(out)
    assert ours.config.unlearning["forget_classes"] == [3] and ours.config.mean == tuple(MEAN)
    state = ours.model.state_dict()
    assert {name: value.sum() for name, value in loaded.state_dict().items()} == {
        name: value.sum() for name, value in state.items()
    }
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(images).logits, ours.model(images).logits)
    again = tmp_path / "again"  # the second request's original is the first one's outcome
    suli(*UNLEARN, "--model", out, "--dataset", digits, "--forget-class", "five", "--method",
         "su", "--set", "epochs=1", "--output", again)  # fmt: skip
    assert transformers.AutoConfig.from_pretrained(again).model_type == "resnet"
    assert (again / "preprocessor_config.json").read_bytes() == (
        net / "preprocessor_config.json"
    ).read_bytes()
    checks = json.loads(suli("receipt", "verify", out, "--model", net, "--dataset", digits,
                             "--json").stdout)  # fmt: skip
    assert {check["state"] for check in checks} == {"matches"}, checks
