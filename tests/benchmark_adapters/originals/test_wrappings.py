"""State dicts as people save them: wrapped, compiled, in parallel, behind a normalisation."""

import pytest
import safetensors.torch
import torch
from original_layouts_example import akamaster, pickled
from torch import nn

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.originals.load import load_original
from suli_plugin.plugins import registry

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.201)
SAID = {"mean": MEAN, "std": STD}
ALL_CNN = {"architecture": "all_cnn", "options": {"width": 0.1}}


class Normalise(nn.Module):
    """Statistics as buffers, of a shape and a scale that people choose."""

    def __init__(self, shape=(3, 1, 1), scale=1, names=("mean", "std")):
        super().__init__()
        self.names = names
        for name, values in zip(names, (MEAN, STD), strict=True):
            self.register_buffer(name, torch.tensor(values).view(shape) * scale)

    def forward(self, images):
        mean, std = (getattr(self, name).view(1, 3, 1, 1) for name in self.names)
        return (images - mean) / std


class Wrapped(nn.Module):
    def __init__(self, model, **parts):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.model = model


@pytest.fixture
def network():
    return build_architecture("all_cnn", 5, width=0.1).eval()


def saved(folder, state, kind="safetensors"):
    path = folder / f"net.{kind}"
    state = {key: value.detach().contiguous() for key, value in state.items()}
    path.write_bytes(safetensors.torch.save(state) if kind == "safetensors" else pickled(state))
    return path


def same(loaded, model):
    state = loaded.model.state_dict()
    return all(torch.equal(state[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize("kind", ["safetensors", "pt"])
@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.model.", "net."],
)
def test_prefixes_are_stripped_in_any_format_and_combination(prefix, kind, network, tmp_path):
    state = {f"{prefix}{key}": value for key, value in network.state_dict().items()}
    loaded = load_original(saved(tmp_path, state, kind), **ALL_CNN, **SAID)
    assert same(loaded, network) and loaded.config.num_classes == 5


def test_a_part_that_was_compiled_is_known_too(network, tmp_path):
    state = {
        key.replace("features.", "features._orig_mod."): value
        for key, value in network.state_dict().items()
    }
    assert any("_orig_mod" in key for key in state)
    assert same(load_original(saved(tmp_path, state), **ALL_CNN, **SAID), network)


def test_a_cifar_resnet_is_known_through_its_wrappings_but_is_akamasters_in_a_pickle_only(tmp_path):
    model = build_architecture("cifar_resnet20", 10)
    state = {f"module.model.{key}": value for key, value in model.state_dict().items()}
    loaded = load_original(saved(tmp_path, state), **SAID)
    assert loaded.config.architecture == "cifar_resnet20" and same(loaded, model)
    with pytest.raises(ValueError, match="nothing here says its mean and std"):
        load_original(saved(tmp_path, state))
    (tmp_path / "a").mkdir()
    for name, data in akamaster(model).items():
        (tmp_path / "a" / name).write_bytes(data)
    assert load_original(tmp_path / "a").config.mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda net: nn.Sequential(Normalise(), net),
        lambda net: nn.Sequential(Normalise((1, 3, 1, 1), 255), net),
        lambda net: Wrapped(net, normalize=Normalise((3,))),
        lambda net: Wrapped(net, normalizer=Normalise(names=("new_mean", "new_std"))),
        lambda net: nn.ModuleDict({"module": Wrapped(net, normalize=Normalise())}),
        lambda net: nn.ModuleDict({"_orig_mod": nn.Sequential(Normalise(), net)}),
    ],
)
def test_the_statistics_of_a_normalisation_layer_are_used_instead_of_asked_for(
    wrap, network, tmp_path
):
    loaded = load_original(saved(tmp_path, wrap(network).state_dict()), **ALL_CNN)
    assert same(loaded, network)
    assert loaded.config.mean == pytest.approx(MEAN) and loaded.config.std == pytest.approx(STD)
    images = torch.rand(2, 3, 32, 32)
    mean, std = (torch.tensor(of).view(3, 1, 1) for of in (loaded.config.mean, loaded.config.std))
    with torch.no_grad():
        theirs = network(Normalise()(images))
        assert torch.allclose(loaded.model((images - mean) / std), theirs, atol=1e-5)


def test_statistics_at_the_top_of_a_wrapper(network, tmp_path):
    state = {f"model.{key}": value for key, value in network.state_dict().items()}
    state |= {"mu": torch.tensor(MEAN), "sigma": torch.tensor(STD)}
    loaded = load_original(saved(tmp_path, state), **ALL_CNN)
    assert same(loaded, network) and loaded.config.mean == MEAN


def test_what_is_said_beside_a_normalisation_layer_must_agree_with_it(network, tmp_path):
    path = saved(tmp_path, nn.Sequential(Normalise(), network).state_dict())
    for said in (SAID, {"mean": (0, 0, 0), "std": (1, 1, 1)}):
        assert load_original(path, **ALL_CNN, **said).config.mean == MEAN
    with pytest.raises(ValueError, match=r"its layer 0\.mean and 0\.std normalises with mean"):
        load_original(path, **ALL_CNN, mean=(0.5,) * 3, std=(0.5,) * 3)


def test_a_network_that_has_such_names_itself_keeps_them_and_gets_pixels_as_they_are(
    tmp_path, monkeypatch
):
    class Own(nn.Module):
        def __init__(self, num_classes):
            super().__init__()
            self.normalize = Normalise()
            self.model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, num_classes))

        def forward(self, images):
            return self.model(self.normalize(images))

    monkeypatch.setitem(registry().architectures, "own_net", Own)
    model = Own(6)
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    loaded = load_original(saved(tmp_path, state), architecture="own_net")
    assert loaded.config.mean == (0.0,) * 3 and loaded.config.std == (1.0,) * 3
    assert same(loaded, model) and loaded.config.num_classes == 6
