"""What becomes of an image is what the libraries of the originals make of it, pixel for pixel."""

import json

import numpy as np
import pytest
from PIL import Image

from benchmark_adapters.preprocessing.preprocessing import Preprocessing, squashed, usual
from benchmark_adapters.preprocessing.published import of_timm, of_torchvision, of_transformers

SIZES = ((40, 31), (31, 40), (33, 33), (90, 45), (200, 50))
# Half a pixel beside the middle is rounded down in transformers, and to even in torchvision.
EVEN = ((40, 32), (32, 48), (33, 33), (90, 45), (200, 50))


def image(width, height):
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def same(preprocessing, transform, off=0.0, sizes=SIZES):
    """Both make the same of images of several sizes, up to `off` of 255 on average."""
    for width, height in sizes:
        ours = np.asarray(preprocessing.applied(image(width, height))).astype(int)
        theirs = np.asarray(transform(image(width, height))).astype(int)
        assert ours.shape == theirs.shape == (preprocessing.size, preprocessing.size, 3)
        assert np.abs(ours - theirs).mean() <= off, (width, height)


def test_a_centre_crop_is_that_of_torchvision():
    from torchvision import transforms

    both = transforms.Compose([transforms.Resize(36), transforms.CenterCrop(32)])
    assert usual(32).resize == 36
    same(usual(32), both)


def test_the_transforms_of_torchvision_weights_are_read():
    from torchvision import models, transforms

    for weights in (models.ResNet50_Weights.IMAGENET1K_V2, models.ViT_B_16_Weights.IMAGENET1K_V1):
        published = weights.transforms()
        found = of_torchvision(published)
        assert (found.size, found.resize) == (published.crop_size[0], published.resize_size[0])
        geometry = transforms.Compose(
            [transforms.Resize(found.resize), transforms.CenterCrop(found.size)]
        )
        same(found, geometry)


@pytest.mark.parametrize("mode", ["center", "squash"])
def test_a_pretrained_cfg_is_followed_as_timm_follows_it(mode):
    timm = pytest.importorskip("timm", reason="the extra timm is not installed")
    config = {"input_size": (3, 32, 32), "crop_pct": 0.9, "interpolation": "bicubic",
              "crop_mode": mode, "mean": (0, 0, 0), "std": (1, 1, 1)}  # fmt: skip
    whole = timm.data.create_transform(**config)
    found = of_timm(config)
    assert found.said_by == "timm's pretrained_cfg" and found.resize == 35
    # The last steps make tensors of the image.
    steps = whole.transforms[:2]
    same(found, lambda image: steps[1](steps[0](image)))


def test_what_timm_says_and_is_not_followed_here_is_not_guessed():
    config = {"input_size": [3, 32, 32], "crop_pct": 0.9}
    assert of_timm(config).interpolation == "bilinear"
    assert of_timm({**config, "crop_mode": "border"}) is None
    assert of_timm({**config, "input_size": [3, 32, 48]}) is None and of_timm({}) is None


PROCESSORS = {
    "ViTImageProcessor": {"size": {"height": 32, "width": 32}},
    "DeiTImageProcessor": {
        "size": {"height": 36, "width": 36}, "crop_size": {"height": 32, "width": 32},
    },
    "ConvNextImageProcessor": {"size": {"shortest_edge": 32}, "crop_pct": 0.875},
    "MobileNetV2ImageProcessor": {
        "size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32},
    },
    "LevitImageProcessor": {
        "size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_processor_of_transformers_is_followed(name):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    made = getattr(transformers, name)(**PROCESSORS[name])
    found = of_transformers(json.loads(made.to_json_string()))
    assert found.said_by == "transformers' preprocessor_config.json"

    def theirs(image):
        only = {"do_rescale": False, "do_normalize": False, "return_tensors": "np"}
        return made(image, **only)["pixel_values"][0].transpose(1, 2, 0)

    # Theirs resizes tensors where torchvision is installed, which rounds otherwise.
    same(found, theirs, off=0.5, sizes=EVEN)


def test_older_processors_say_it_in_other_words():
    older = {"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": 0.875}
    assert of_transformers({**older, "resample": 3}) == of_transformers(
        {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224},
         "crop_pct": 0.875, "resample": 3}
    )  # fmt: skip
    deit = {"feature_extractor_type": "DeiTFeatureExtractor", "size": 256, "crop_size": 224}
    assert of_transformers({**deit, "do_center_crop": True}).words == (
        "both sides to 256 pixels (bilinear), the middle 224x224"
    )
    poolformer = {"image_processor_type": "PoolFormerImageProcessor", "size": {"shortest_edge": 9}}
    assert of_transformers(poolformer) is None and of_transformers({}) is None
    assert of_transformers({**older, "do_resize": False}) is None


def test_another_size_keeps_the_proportion_and_json_gives_the_same():
    found = Preprocessing(size=224, resize=256, interpolation="bicubic", said_by="me")
    assert found.of_size(160) == Preprocessing(
        size=160, resize=182, interpolation="bicubic", said_by="me"
    )
    assert Preprocessing.from_dict(json.loads(json.dumps(found.as_dict()))) == found
    assert squashed(8).words == "both sides to 8 pixels (bilinear)" and not squashed(8).cuts


@pytest.mark.parametrize(
    "wrong", [{"size": 0}, {"resize": 20}, {"interpolation": "cubic"}, {"size": 3.5}, {"mean": 1}]
)
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(ValueError, match="preprocessing"):
        Preprocessing.from_dict({"size": 32, "resize": 36, **wrong})
