"""The all convolutional network."""

from __future__ import annotations

from torch import Tensor, nn


class AllCNN(nn.Module):
    """All-CNN-C (Springenberg et al., Striving for Simplicity, ICLR 2015 workshop, table 1).

    Nine convolutions for images (in_channels, 32, 32), averaged over the last 6x6 pixels.
    width: multiplies the 96 and 192 planes; the unlearning literature uses 0.5, too.
    dropout: 0.2 on the images and 0.5 after each convolution of stride 2, as published.
    batch_norm: BatchNorm after each hidden convolution, which the paper does without. Without it
    the weights begin as in He et al. (ICCV 2015): under PyTorch's own nine layers shrink the images
    to nothing, and training never leaves its start. The published ReLU on the logits is left out: a
    class below zero would have no gradient.
    Raises ValueError for a width that leaves no plane.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        width: float = 1.0,
        dropout: bool = True,
        batch_norm: bool = False,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        narrow, wide = int(96 * width), int(192 * width)
        if narrow < 1:
            raise ValueError(f"width must leave at least one of the 96 planes, got {width}")
        # planes, kernel, stride, padding
        plan = [
            *[(narrow, 3, 1, 1), (narrow, 3, 1, 1), (narrow, 3, 2, 1)],
            *[(wide, 3, 1, 1), (wide, 3, 1, 1), (wide, 3, 2, 1)],
            *[(wide, 3, 1, 0), (wide, 1, 1, 0)],
        ]
        self.drop = nn.Dropout(0.2 if dropout else 0.0)
        self.features = nn.Sequential()
        for planes, kernel, stride, padding in plan:
            layer = _convolution(in_channels, planes, kernel, stride, padding, batch_norm)
            if dropout and stride == 2:
                layer.append(nn.Dropout(0.5))
            self.features.append(layer)
            in_channels = planes
        self.classifier = nn.Conv2d(wide, num_classes, 1)
        if not batch_norm:
            self.features.apply(_begin)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K) of images (B, C, H, W)."""
        logits: Tensor = self.classifier(self.features(self.drop(images))).mean((2, 3))
        return logits


def _convolution(
    inputs: int, planes: int, kernel: int, stride: int, padding: int, batch_norm: bool
) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, planes, kernel, stride, padding, bias=not batch_norm)
    norm = [nn.BatchNorm2d(planes)] if batch_norm else []
    return nn.Sequential(convolution, *norm, nn.ReLU())


def _begin(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
