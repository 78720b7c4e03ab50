"""The challenge's signature, called as its starting kit calls it."""

import copy

import pytest
import torch
from harness_cases import class_three, same_weights, unlearned_by_us
from torch import nn
from torch.utils.data import DataLoader, Dataset

from benchmark_adapters.benchmarks.digits import digits_original, digits_parts
from benchmark_adapters.harnesses.neurips2023 import unlearning, unlearning_with
from suli_plugin import ForgetRequest


class KaggleRows(Dataset):
    """The dicts that Kaggle's version of the challenge gives."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, position):
        image, label = self.images[position]
        return {"image": image, "image_id": position, "age_group": label}


def loaders(request, rows=lambda images: images):
    parts = (request.retain, request.forget, request.reference)
    return [DataLoader(rows(part), batch_size=64, shuffle=True) for part in parts]


def some_samples():
    train, count = digits_parts().train, 40
    return ForgetRequest(
        forget=train.subset(range(count)),
        retain=train.subset(range(count, len(train))),
        reference=digits_parts().reference,
    )


def test_the_kits_call_gives_the_weights_of_our_own_runner():
    # The kit's own function, fine-tuning, takes a net in any mode and ends in evaluation mode.
    request, net = some_samples(), copy.deepcopy(digits_original(0)).train()
    result = unlearning(net, *loaders(request))
    ours = unlearned_by_us("suli", digits_original(0), request, seed=0)
    assert result is net
    assert not net.training
    assert same_weights(net.state_dict(), ours.state_dict())
    assert not same_weights(net.state_dict(), digits_original(0).state_dict())


@pytest.mark.parametrize("label", ["su@official", "neg_grad", "finetune"])
def test_any_method_fits_the_signature_class_wise_and_with_kaggles_rows(label):
    request, net = class_three(), copy.deepcopy(digits_original(0))
    function = unlearning_with(label, forget_classes=(3,), seed=5)
    function(net, *loaders(request, KaggleRows))
    ours = unlearned_by_us(label, digits_original(0), request, seed=5)
    assert same_weights(net.state_dict(), ours.state_dict())


def test_retrain_gets_an_untrained_copy_of_the_net():
    net = copy.deepcopy(digits_original(0))
    settings = {"epochs": 1, "batch_size": 64}
    unlearning_with("retrain", settings=settings)(net, *loaders(some_samples()))
    assert not torch.equal(net[0].weight, digits_original(0)[0].weight)


def test_a_net_that_cannot_be_reset_is_said():
    class WithToken(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.body = nn.Parameter(torch.zeros(1)), digits_original(0)

        def forward(self, images):
            return self.body(images) + self.token

    with pytest.raises(ValueError, match="WithToken has no reset_parameters"):
        unlearning_with("retrain")(WithToken(), *loaders(some_samples()))
