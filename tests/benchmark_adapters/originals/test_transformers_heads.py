"""Classifiers of transformers with several heads, several classes a type, or caches."""

import pytest
import torch
from accelerate import Accelerator
from original_layouts_example import CIFAR10_MEAN, CIFAR10_STD, NAMES, as_json

from benchmark_adapters.originals.checkpoints import CheckpointConfig, save_checkpoint
from benchmark_adapters.originals.load import load_original
from suli_plugin.evaluation import evaluate
from suli_plugin.images import ImageSet
from suli_plugin.runner import run
from suli_plugin.suli import SULI
from suli_plugin.unlearner import ForgetRequest

_DEIT = {
    **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 8},
    **{"intermediate_size": 32, "image_size": 32},
}
_LEVIT = {
    **{"image_size": 32, "hidden_sizes": [16, 32, 48], "num_attention_heads": [2, 2, 2]},
    **{"depths": [1, 1, 1], "key_dim": [8, 8, 8]},
    **{"attention_ratio": [2, 2, 2], "mlp_ratio": [2, 2, 2]},
}
_PERCEIVER = {
    **{"image_size": 16, "num_latents": 8, "d_latents": 32, "num_blocks": 1},
    **{"num_self_attends_per_block": 1, "num_self_attention_heads": 2},
    **{"num_cross_attention_heads": 1},
}
# Class, its configuration, and the side of images that it takes.
CLASSIFIERS = {
    "DeiTForImageClassification": ("deit", _DEIT, 32),
    "DeiTForImageClassificationWithTeacher": ("deit", _DEIT, 32),
    "LevitForImageClassification": ("levit", _LEVIT, 32),
    "LevitForImageClassificationWithTeacher": ("levit", _LEVIT, 32),
    "PerceiverForImageClassificationLearned": ("perceiver", _PERCEIVER, 16),
}


def saved(folder, name):
    """A small model of this class as transformers writes it, with its image processor."""
    import transformers

    kind, small, side = CLASSIFIERS[name]
    config = transformers.AutoConfig.for_model(kind, **small, id2label=dict(enumerate(NAMES)))
    model = getattr(transformers, name)(config)
    model.save_pretrained(folder)
    processor = {
        **{"do_normalize": True, "do_rescale": True, "rescale_factor": 0.00392156862745098},
        **{"image_mean": CIFAR10_MEAN, "image_std": CIFAR10_STD},
        "size": {"height": side, "width": side},
    }
    (folder / "preprocessor_config.json").write_bytes(as_json(processor))
    return model.eval()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_is_loaded_as_the_class_it_was_saved_as_unlearned_and_written(name, tmp_path):
    pytest.importorskip("transformers", reason="the extra transformers is not installed")
    model, side = saved(tmp_path / "a", name), CLASSIFIERS[name][2]
    original = load_original(tmp_path / "a")
    assert type(original.model).__name__ == name
    assert original.config.num_classes == 5 and original.config.input_size == (3, side, side)
    images = torch.rand(2, 3, side, side)
    # With gradients, as anybody may have called it before: LeViT then holds what can't be copied.
    assert torch.equal(original.model(images).logits, model(images).logits)
    pixels = torch.randint(0, 256, (8, 3, side, side), dtype=torch.uint8)
    mean, std = original.config.mean, original.config.std
    forget = ImageSet.of_tensors(pixels, torch.ones(8), mean=mean, std=std, kind="forget")
    accelerator, request = Accelerator(cpu=True), ForgetRequest(forget=forget, forget_classes=(1,))
    method = SULI(sweeps=1, stop="never", lr=0.01)
    done = run(method, original.model, request, accelerator=accelerator)
    save_checkpoint(tmp_path / "c", done.model, original.config)
    again = load_original(tmp_path / "c").model
    one, two = (evaluate(net, forget, accelerator).logits for net in (again, done.model))
    assert torch.equal(one, two)
    # What its user sees, who has no evaluation pass of ours.
    with torch.no_grad():
        assert torch.equal(done.model(images).logits, again(images).logits)
        assert not torch.equal(done.model(images).logits, model(images).logits)


def test_double_and_half_precision_come_back_as_float32(tmp_path):
    pytest.importorskip("transformers", reason="the extra transformers is not installed")
    model = saved(tmp_path / "a", "DeiTForImageClassification")
    for number, kind in enumerate((torch.float64, torch.bfloat16)):
        folder = tmp_path / str(number)
        model.to(kind).save_pretrained(folder)
        processor = (tmp_path / "a" / "preprocessor_config.json").read_bytes()
        (folder / "preprocessor_config.json").write_bytes(processor)
        loaded = load_original(folder)
        assert {value.dtype for value in loaded.model.parameters()} == {torch.float32}
        save_checkpoint(tmp_path / f"c{number}", loaded.model, loaded.config)


def test_classes_that_are_not_transformers_own_for_the_type_are_not_looked_for():
    pytest.importorskip("transformers", reason="the extra transformers is not installed")
    for named in (["Evil"], ["ViTModel"], "x"):
        config = CheckpointConfig(
            architecture="transformers/deit", num_classes=5, mean=(0.5,) * 3, std=(0.5,) * 3,
            options={"config": {**_DEIT, "architectures": named}},
        )  # fmt: skip
        assert type(config.build()).__name__ == "DeiTForImageClassification"
