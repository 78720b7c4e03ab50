"""Residual networks for 32x32 images, under the key names of the checkpoints people use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

DEPTHS = (20, 32, 44, 56, 110)
Shortcut = Callable[[int, int, int], nn.Module]


def cifar_resnet18(num_classes: int, *, in_channels: int = 3) -> nn.Module:
    """ResNet-18 with a 3x3 stem of stride 1 and no max-pool; 11.2 million weights at 10 classes.

    Keys, shapes and initialisation are those of torchvision's resnet18 but for the stem.
    """
    model = _FourStages(in_channels, num_classes)
    _initialise(model, (nn.Conv2d,), mode="fan_out")
    return model


def cifar_resnet(depth: int, num_classes: int, *, in_channels: int = 3) -> nn.Module:
    """The CIFAR ResNet of depth 6n+2: 16, 32, 64 planes, shortcuts without parameters.

    He et al., Deep Residual Learning, CVPR 2016, section 4.2, option A; initialised as in He et
    al., Delving Deep into Rectifiers, ICCV 2015. Keys as in akamaster/pytorch_resnet_cifar10.
    """
    model = _ThreeStages((depth - 2) // 6, in_channels, num_classes)
    _initialise(model, (nn.Conv2d, nn.Linear), mode="fan_in")
    return model


class _Stages(nn.Module):
    """The 3x3 stem and the stages `layer1` to `layerN`, of which all but the first halve."""

    def __init__(
        self, in_channels: int, widths: Sequence[int], blocks: int, shortcut: Shortcut
    ) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_channels, widths[0])
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.count = len(widths)
        for number, width in enumerate(widths):
            inputs = widths[max(number - 1, 0)]
            first = _Block(inputs, width, stride=2 if number else 1, shortcut=shortcut)
            rest = [_Block(width, width, stride=1, shortcut=shortcut) for _ in range(blocks - 1)]
            self.add_module(f"layer{number + 1}", nn.Sequential(first, *rest))

    def pooled(self, images: Tensor) -> Tensor:
        """Features (B, last width) of images (B, C, H, W), averaged over the image."""
        features = functional.relu(self.bn1(self.conv1(images)))
        for number in range(self.count):
            features = self.get_submodule(f"layer{number + 1}")(features)
        return functional.adaptive_avg_pool2d(features, 1).flatten(1)


class _FourStages(_Stages):
    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__(in_channels, (64, 128, 256, 512), 2, _projected)
        self.fc = nn.Linear(512, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K)."""
        return self.fc(self.pooled(images))


class _ThreeStages(_Stages):
    def __init__(self, blocks: int, in_channels: int, num_classes: int) -> None:
        super().__init__(in_channels, (16, 32, 64), blocks, _Padded)
        self.linear = nn.Linear(64, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K)."""
        return self.linear(self.pooled(images))


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = _conv3x3(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        changes = stride != 1 or inputs != outputs
        self.downsample = shortcut(inputs, outputs, stride) if changes else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        new = functional.relu(self.bn1(self.conv1(features)))
        return functional.relu(self.bn2(self.conv2(new)) + self.downsample(features))


class _Padded(nn.Module):
    """Option A: every second pixel, new channels zero, half of them on either side."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, self.added = stride, outputs - inputs

    def forward(self, features: Tensor) -> Tensor:
        before = self.added // 2
        thinned = features[:, :, :: self.stride, :: self.stride]
        return functional.pad(thinned, (0, 0, 0, 0, before, self.added - before))


def _projected(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Option B: a 1x1 convolution with BatchNorm."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def _conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


def _initialise(
    model: nn.Module, kinds: tuple[type[nn.Module], ...], mode: Literal["fan_in", "fan_out"]
) -> None:
    for layer in model.modules():
        if isinstance(layer, kinds):
            nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")  # type: ignore[arg-type]  # both kinds have a weight
