"""Architectures by name, and the plugins that bring them."""

import json
import sys

import pytest
import torch
from click.testing import CliRunner
from repository import ROOT

from benchmark_adapters.architectures import build_architecture
from suli_plugin.cli import main
from suli_plugin.logits import logits_of
from suli_plugin.plugins import load_plugins, registry

OURS = {
    "cifar_resnet18": 11_173_962,
    "cifar_resnet20": 269_722,
    "cifar_resnet32": 464_154,
    "cifar_resnet44": 658_586,
    "cifar_resnet56": 853_018,
    "cifar_resnet110": 1_727_962,
    "all_cnn": 1_369_738,
}


@pytest.mark.parametrize("name", OURS)
def test_has_the_published_number_of_weights_and_gives_logits_for_32x32(name):
    model = build_architecture(name, 10)
    assert sum(weight.numel() for weight in model.parameters()) == OURS[name]
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    assert build_architecture(name, 7, in_channels=1)(torch.rand(2, 1, 32, 32)).shape == (2, 7)


def test_cifar_resnet18_has_the_keys_and_the_features_of_torchvision_with_that_stem():
    from torchvision.models import resnet18

    theirs = resnet18(num_classes=10)
    theirs.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    theirs.maxpool = torch.nn.Identity()
    ours = build_architecture("cifar_resnet18", 10)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(ours.eval()(images), theirs.eval()(images))
    # The initialisation is theirs as well: compare the spread of a wide layer.
    fresh = build_architecture("cifar_resnet18", 10).layer4[1].conv2.weight.std()
    assert fresh.item() == pytest.approx(theirs.layer4[1].conv2.weight.std().item(), rel=0.02)


def test_option_a_shortcut_keeps_every_second_pixel_between_zero_channels():
    from benchmark_adapters.architectures.cifar_resnet import _Padded

    features = torch.rand(1, 16, 4, 4)
    shortcut = _Padded(16, 32, 2)(features)
    assert torch.equal(shortcut[:, 8:24], features[:, :, ::2, ::2])
    assert not shortcut[:, :8].any() and not shortcut[:, 24:].any()


def test_all_cnn_of_half_width_and_with_batch_norm():
    half = build_architecture("all_cnn", 10, width=0.5, batch_norm=True, dropout=False)
    assert half.classifier.in_channels == 96
    assert sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in half.modules()) == 8
    assert not any(layer.p for layer in half.modules() if isinstance(layer, torch.nn.Dropout))
    with pytest.raises(ValueError, match="width must leave at least one"):
        build_architecture("all_cnn", 10, width=0)


def test_all_cnn_without_batch_norm_keeps_the_scale_of_the_images_to_its_last_layer():
    """Under PyTorch's own initialisation what is left of them is the biases."""
    torch.manual_seed(0)
    network = build_architecture("all_cnn", 10, dropout=False).eval()
    images = torch.randn(16, 3, 32, 32)
    spread = network.features(images).std(0).mean()
    assert 0.1 < spread < 2
    with_its_own = build_architecture("all_cnn", 10, dropout=False, batch_norm=True)
    assert with_its_own.features[0][0].weight.std() < 0.8 * network.features[0][0].weight.std()


def test_torchvision_by_name_with_and_without_cifar_stem():
    plain = build_architecture("torchvision/resnet50", 5)
    assert plain.conv1.kernel_size == (7, 7) and plain.fc.out_features == 5
    small = build_architecture("torchvision/resnet50", 5, cifar_stem=True)
    assert small.conv1.kernel_size == (3, 3) and small.eval()(torch.rand(1, 3, 32, 32)).shape == (
        1,
        5,
    )


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("nosuch", {}, "unknown architecture 'nosuch'; known: all_cnn, cifar_resnet110"),
        ("nozoo/net", {}, "unknown architecture 'nozoo/net'"),
        ("torchvision", {}, "unknown architecture 'torchvision'"),
        ("torchvision/nosuch", {}, "torchvision has no classifier 'nosuch'"),
        ("torchvision/raft_small", {}, "torchvision has no classifier"),
        ("torchvision/resnet18", {"weights": "DEFAULT"}, "weights cannot be an option"),
        ("torchvision/vgg11", {"cifar_stem": True}, "cifar_stem is for ResNets"),
        ("cifar_resnet20", {"depth": 56}, "cannot be built for 10 classes and the options depth"),
        ("all_cnn", {"width": "wide"}, "cannot be built"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_line(name, options, reason):
    with pytest.raises(ValueError, match=reason) as raised:
        build_architecture(name, 10, **options)
    assert "\n" not in str(raised.value)


def test_digits_convnet_has_ten_classes_only():
    assert build_architecture("digits_convnet", 10)(torch.rand(2, 1, 8, 8)).shape == (2, 10)
    with pytest.raises(ValueError, match="it has 10 classes, one a digit, got 3"):
        build_architecture("digits_convnet", 3)


@pytest.mark.parametrize("name", ["timm/resnet18", "transformers/vit"])
def test_a_library_that_is_missing_is_named_with_the_extra_that_brings_it(name, monkeypatch):
    library = name.partition("/")[0]
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ValueError, match=rf"pip install 'suli-plugin\[{library}\]'"):
        build_architecture(name, 10)


def test_a_torchvision_that_does_not_match_torch_is_explained(monkeypatch):
    from benchmark_adapters.architectures import libraries

    def broken(module):
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr(libraries, "import_module", broken)
    with pytest.raises(ValueError, match="torchvision and torch do not match") as raised:
        build_architecture("torchvision/resnet18", 10)
    assert "\n" not in str(raised.value)


def test_timm_models_and_never_a_download():
    pytest.importorskip("timm", reason="the extra timm is not installed")
    model = build_architecture("timm/vit_tiny_patch16_224", 4, img_size=32, patch_size=8)
    assert model(torch.rand(1, 3, 32, 32)).shape == (1, 4)
    for variant in ("hf-hub:org/name", "nosuch", "local-dir:/tmp"):
        with pytest.raises(ValueError, match="has no model"):
            build_architecture(f"timm/{variant}", 4)
    with pytest.raises(ValueError, match="checkpoint_path, pretrained cannot be an option"):
        build_architecture("timm/resnet18", 4, pretrained=True, checkpoint_path="/tmp/x")


def test_transformers_models_without_the_code_or_the_kernels_that_a_config_names():
    pytest.importorskip("transformers", reason="the extra transformers is not installed")
    config = {
        **{"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 8},
        **{"intermediate_size": 32, "image_size": 32, "torch_dtype": "float16"},
        **{"auto_map": {"AutoConfig": "evil.Config"}, "_attn_implementation": "evil/kernel"},
        "attn_implementation": "evil/kernel",
    }
    model = build_architecture("transformers/vit", 4, config=config)
    assert logits_of(model(torch.rand(1, 3, 32, 32))).shape == (1, 4)
    assert next(model.parameters()).dtype == torch.float32
    with pytest.raises(ValueError, match="has no model type 'nosuch'"):
        build_architecture("transformers/nosuch", 4)
    with pytest.raises(ValueError, match="id2label names 2 classes"):
        build_architecture("transformers/vit", 4, config={"id2label": {"0": "a", "1": "b"}})


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """Install a stranger's plugin, of the given source, on the path."""

    def install(source):
        (tmp_path / "stranger_nets.py").write_text(source)
        info = tmp_path / "stranger_nets-2.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger-nets\nVersion: 2.5\n")
        (info / "entry_points.txt").write_text("[suli_plugin]\nnets = stranger_nets\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "stranger_nets", raising=False)
        registry.cache_clear()
        return next(r for r in registry().reports if r.origin.distribution == "stranger-nets")

    yield install
    sys.modules.pop("stranger_nets", None)
    registry.cache_clear()


PLUGIN = """
from torch import nn
from suli_plugin import hookimpl

@hookimpl
def register_architectures(register):
    {calls}
"""


def test_a_stranger_adds_an_architecture_and_a_family(stranger):
    report = stranger(
        PLUGIN.format(
            calls="register('line', lambda n, inputs=2: nn.Linear(inputs, n)); "
            "register('zoo/', lambda n, variant: nn.Linear(int(variant), n))"
        )
    )
    assert report.architectures == ("line", "zoo/")
    assert build_architecture("line", 3, inputs=5).in_features == 5
    assert build_architecture("zoo/4", 3).in_features == 4
    assert str(registry().architecture_origins["zoo/"]) == "plugin 'nets' of stranger-nets 2.5"
    shown = CliRunner().invoke(main, ["plugins"]).output
    assert "stranger-nets 2.5: line, zoo/" in shown
    rows = json.loads(CliRunner().invoke(main, ["plugins", "--json"]).output)
    assert ["line", "zoo/"] in [row["architectures"] for row in rows]


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ("register('all_cnn', lambda n: 0)", "'all_cnn' is taken by plugin 'architectures' of sul"),
        ("[register('a', lambda n: 0) for _ in range(2)]", "'a' is taken by itself"),
        ("register('Net', lambda n: 0)", "lower-case identifier .* got 'Net'"),
        ("register('a/b', lambda n: 0)", "lower-case identifier .* got 'a/b'"),
        ("register('net', 7)", "the factory of 'net' must be callable, got 7"),
        ("register('net', lambda: 0)", r"must take \(num_classes, \*\*options\)"),
        ("register('zoo/', lambda n: 0)", r"must take \(num_classes, variant=..., \*\*options\)"),
    ],
)
def test_what_a_stranger_may_not_register(stranger, calls, reason):
    report = stranger(PLUGIN.format(calls=calls))
    assert report.state == "failed"
    with pytest.raises(ValueError, match=reason):
        load_plugins(strict=True)
    # The others work.
    assert "cifar_resnet18" in registry().architectures


def test_a_factory_that_makes_no_model_is_named(stranger):
    stranger(PLUGIN.format(calls="register('seven', lambda n: 7)"))
    with pytest.raises(ValueError, match=r"'seven' made int, expected an nn.Module"):
        build_architecture("seven", 3)


@pytest.mark.slow
def test_registering_imports_no_library_of_architectures():
    import subprocess

    code = (
        "import sys; from suli_plugin.plugins import registry; registry(); "
        "print({'timm', 'transformers', 'torchvision'} & sys.modules.keys())"
    )
    root = ROOT
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
