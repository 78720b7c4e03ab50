"""SU: what it loses at the start has a closed form."""

import pytest
import torch
from characteristic import characteristic
from small_problem import request, tensors, trained_convnet

from suli_plugin import SU, run
from suli_plugin.spa import suppressed_classes


def nothing(labels, outputs, *classes):
    return suppressed_classes(labels, outputs) & False


@characteristic(
    lambda patch: patch.setattr("suli_plugin.self_unlearner.suppressed_classes", nothing)
)
def test_its_first_loss_is_minus_the_log_of_what_the_suppressed_label_leaves():
    for scope in ("class-wise", "instance-wise"):
        wanted = request(scope)
        images, labels = tensors(wanted.forget)
        with torch.no_grad():
            logits = trained_convnet()(images).double()
        others = logits.scatter(1, labels[:, None], -torch.inf)
        expected = (logits.logsumexp(1) - others.logsumexp(1)).mean()
        method = SU(epochs=1, batch_size=1000, batch_norm="frozen", stop="never")
        loss = run(method, trained_convnet(), wanted).history[0].loss
        assert loss == pytest.approx(expected.item(), rel=1e-4)
