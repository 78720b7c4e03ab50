"""The digits as a data source and a model of ERASURE, addressed from its configuration."""

from __future__ import annotations

import torch
from erasure.data.data_sources.datasource import DataSource
from erasure.data.datasets.Dataset import DatasetWrapper
from torch import nn
from torch.utils.data import Dataset

from benchmark_adapters.architectures.digits_convnet import digits_convnet
from benchmark_adapters.benchmarks.digits import digits_parts


class Rows(Dataset):
    """Training images first, then test images, as ERASURE puts a source's two parts together."""

    def __init__(self):
        parts = digits_parts()
        self.parts = (parts.train, parts.test)
        self.classes = list(range(10))

    def __len__(self):
        return sum(len(part) for part in self.parts)

    def __getitem__(self, position):
        train, test = self.parts
        part, at = (train, position) if position < len(train) else (test, position - len(train))
        image, label = part[at]
        return image, torch.tensor(label)


class Normalised(Rows):
    def __getitem__(self, position):
        image, label = super().__getitem__(position)
        return (image - 0.3) / 0.35, label


class DigitsSource(DataSource):
    def create_data(self):
        return self.get_wrapper(Rows())

    def get_name(self):
        return "digits"

    def get_simple_wrapper(self, data):
        return DatasetWrapper(data, self.preprocess)


class NormalisedDigits(DigitsSource):
    def create_data(self):
        return self.get_wrapper(Normalised())


class DigitsNet(nn.Module):
    """The benchmark's network, in ERASURE's form: features and logits."""

    def __init__(self, n_classes):
        super().__init__()
        self.body, self.head = digits_convnet()[:-1], digits_convnet()[-1]
        assert self.head.out_features == n_classes

    def forward(self, images):
        features = self.body(images)
        return features, self.head(features)
