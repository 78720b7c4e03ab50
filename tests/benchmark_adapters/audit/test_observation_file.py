"""An observation comes back from its file as it was, and what does not fit is refused."""

from dataclasses import replace

import pytest
import safetensors.torch
import torch
from drawn_observations import CLASSES, drawn_observation

from benchmark_adapters.audit import observation_file
from benchmark_adapters.audit.observation_file import packed_observation, unpacked_observation
from suli_plugin.evaluation import Predictions

SEEN = drawn_observation(0)


def tensors():
    return safetensors.torch.load(packed_observation(SEEN))


def unpacked(changed):
    data = changed if isinstance(changed, bytes) else safetensors.torch.save(changed)
    return unpacked_observation(data, SEEN.answers, CLASSES, "model.features")


def same(one, other):
    return all(
        torch.equal(getattr(one[name], kind), getattr(other[name], kind))
        for name in one
        for kind in ("logits", "labels", "features")
    )


def test_it_comes_back_as_it_was_and_its_bytes_are_always_the_same():
    found = unpacked(packed_observation(SEEN))
    assert same(SEEN.parts, found.parts) and same(SEEN.settled, found.settled)
    assert torch.equal(found.head.weight, SEEN.head.weight)
    assert torch.equal(found.head.bias, SEEN.head.bias)
    assert found.traits == {"int8": (0.25,), "curve": pytest.approx((0.1, 0.5))}
    assert packed_observation(found) == packed_observation(SEEN)


def test_without_batchnorm_or_a_head_they_are_not_in_the_file_and_come_back_so():
    plain = replace(SEEN, settled=SEEN.parts, head=None, traits={})
    data = packed_observation(plain)
    assert set(safetensors.torch.load(data)) == {"parts.forget", "parts.retain", "parts.test"}
    found = unpacked(data)
    assert found.settled is found.parts and found.head is None and found.traits == {}


def test_features_are_of_the_images_that_are_drawn(monkeypatch):
    monkeypatch.setattr("benchmark_adapters.audit.observation.OTHERS_LIMIT", 30)
    with pytest.raises(
        ValueError, match=r"expected features \(30, D\) of the retain set, got \(60"
    ):
        unpacked(packed_observation(SEEN))


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("parts.test", torch.zeros(79, 6), r"expected features \(80, D\) of the test set, got"),
        ("parts.test", torch.zeros(80), r"expected features \(80, D\) of the test set, got \(80,"),
        ("parts.test", None, r"expected features \(80, D\) of the test set, got None"),
        ("settled.forget", None, r"expected features \(40, D\) of the forget set, got None"),
        ("settled_logits.test", torch.zeros(80, 3), "settled logits of the test set do not fit"),
        ("parts.test", torch.full((80, 6), torch.nan), "expected finite float32 for 'parts.test'"),
        ("parts.test", torch.zeros(80, 6).half(), "finite float32 for 'parts.test', got torch.f"),
    ],
)
def test_what_does_not_fit_is_refused(name, tensor, message):
    changed = tensors()
    del changed[name]
    if tensor is not None:
        changed[name] = tensor
    with pytest.raises(ValueError, match=f"model.features: .*{message}"):
        unpacked(changed)


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"\xff" * 64, packed_observation(SEEN)[:-8]])
def test_foreign_bytes_are_refused_in_one_line(data):
    with pytest.raises(ValueError, match=r"model\.features is not a file of features") as refusal:
        unpacked(data)
    assert "\n" not in str(refusal.value)


def test_a_file_larger_than_the_limit_is_not_read(monkeypatch):
    monkeypatch.setattr(observation_file, "FEATURES_LIMIT", 100)
    with pytest.raises(ValueError, match="holds more than 100 bytes"):
        unpacked(packed_observation(SEEN))


def test_answers_of_other_images_are_refused():
    fewer = {
        name: Predictions(answers.logits[1:], answers.labels[1:])
        for name, answers in SEEN.answers.items()
    }
    with pytest.raises(ValueError, match=r"expected features \(39, D\) of the forget set"):
        unpacked_observation(packed_observation(SEEN), fewer, CLASSES, "model.features")
