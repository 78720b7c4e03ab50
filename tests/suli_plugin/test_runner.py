"""run: copies, seeds, withholds, refuses, measures and restores."""

import random
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from small_problem import convnet, request, trained_convnet
from torch import nn
from torch.utils.data import Dataset

from benchmark_adapters.baselines.boundary_shrink import BoundaryShrink
from benchmark_adapters.baselines.finetune import FineTune
from benchmark_adapters.baselines.logit_mask import LogitMask
from benchmark_adapters.baselines.neg_grad import NegGrad
from benchmark_adapters.baselines.retrain import Retrain
from suli_plugin import SU, SULI, ForgetRequest, ImageSet, Unlearner, run
from suli_plugin.runner import check


class Tripwire(Dataset):
    """A retain set that must not be touched, not even asked for its length."""

    def __len__(self):
        raise AssertionError("the retain set was touched")

    def __getitem__(self, position):
        raise AssertionError("the retain set was touched")


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
@pytest.mark.parametrize("method", [SULI(), SU(), NegGrad()])
def test_a_method_that_needs_only_the_forget_set_never_touches_the_retain_set(method, scope):
    def no_model():
        raise AssertionError("a fresh model was made")

    trapped = replace(request(scope), retain=Tripwire(), fresh_model=no_model)
    if scope == "class-wise":
        trapped = replace(trapped, reference=Tripwire())
    assert run(method, trained_convnet(), trapped).steps > 0


def test_the_tripwire_does_trip():
    with pytest.raises(AssertionError, match="touched"):
        run(FineTune(), trained_convnet(), replace(request("class-wise"), retain=Tripwire()))


@dataclass(frozen=True, kw_only=True)
class Greedy(Unlearner):
    """Asks for what it does not declare."""

    name: ClassVar[str] = "greedy"
    paper: ClassVar[str] = "a test"
    needs: ClassVar[dict] = {"class-wise": frozenset({"forget"})}
    wants: str = "retain"

    def unlearn(self, model, session):
        getattr(session, self.wants)
        return model


@pytest.mark.parametrize(
    "resource", ["retain", "reference", "fresh_model", "image_shape", "training_log"]
)
def test_an_undeclared_resource_is_withheld(resource):
    with pytest.raises(ValueError, match=f"greedy asked for '{resource}'"):
        run(Greedy(wants=resource), trained_convnet(), request("class-wise"))


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 0), (3, 1, 8, 8)])
def test_an_image_shape_is_channels_height_and_width(shape):
    with pytest.raises(ValueError, match=r"image_shape must be \(channels, height, width\)"):
        ForgetRequest(image_shape=shape)


def test_an_unsupported_scope_is_refused():
    with pytest.raises(ValueError, match="logit_mask supports class-wise unlearning, not inst"):
        run(LogitMask(), trained_convnet(), request("instance-wise"))


def test_a_missing_resource_is_named():
    asked = replace(request("instance-wise"), reference=None)
    with pytest.raises(ValueError, match=r"suli needs 'reference'.*ForgetRequest\(reference"):
        run(SULI(), trained_convnet(), asked)


def test_the_original_and_the_global_random_state_stay_as_they_are():
    model = trained_convnet().train()
    model[1].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), float(torch.rand(()))
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    unlearned = run(SULI(), model, request("class-wise")).model
    assert (random.random(), np.random.rand(), float(torch.rand(()))) == expected
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert model.training and not model[1].training
    assert unlearned.training and not unlearned[1].training
    assert all(parameter.grad is None for parameter in unlearned.parameters())


def test_numpy_and_python_randomness_of_a_method_follow_the_seed():
    @dataclass(frozen=True, kw_only=True)
    class Draws(Greedy):
        def unlearn(self, model, session):
            with torch.no_grad():
                model[-1].bias.fill_(random.random() + np.random.rand() + float(torch.rand(())))
            return model

    def bias(seed):
        result = run(Draws(), convnet(), request("class-wise"), seed=seed)
        return float(result.model[-1].bias.detach()[0])

    assert bias(1) == bias(1) != bias(2)


def test_clocks_and_passes_add_up():
    asked = request("class-wise")
    method = SULI(inner_steps=3)
    result = run(method, trained_convnet(), asked)
    count = len(asked.forget)
    rounds = len(result.history)
    assert 0 < result.seconds.update < result.seconds.total
    assert result.passes["backward"] == {"forget": 3 * count * rounds // 2}
    assert result.passes["forward"] == {"forget": 3 * count * rounds // 2 + count * (1 + rounds)}
    assert result.history[-1].step == 3 * rounds
    assert [entry.layer for entry in result.history] == list(range(rounds))


def test_retrain_is_a_new_model_and_the_recursive_kind():
    """No weight, in no nested module, is the original's."""
    model, asked = trained_convnet(), request("class-wise")
    result = run(Retrain(epochs=1), model, asked)
    for name, value in result.model.named_parameters():
        assert not torch.equal(value, dict(model.named_parameters())[name]), name
    assert set(result.passes["backward"]) == {"retain"}
    again = run(Retrain(epochs=1), model, asked).model
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in result.model.state_dict().items())


def test_the_logits_seam_unwraps_objects_and_tuples():
    class Wrapped(nn.Module):
        def __init__(self, form):
            super().__init__()
            self.net, self.form = trained_convnet(), form

        def forward(self, images):
            logits = self.net(images)
            if self.form == "tuple":
                return logits.sum(1), logits
            return type("Output", (), {"logits": logits})()

    plain = run(SULI(), trained_convnet(), request("class-wise")).model.state_dict()
    by_object = run(SULI(), Wrapped("object"), request("class-wise")).model.net.state_dict()
    assert all(torch.equal(plain[key], by_object[key]) for key in plain)
    by_tuple = run(
        SULI(), Wrapped("tuple"), request("class-wise"), logits_of=lambda output: output[1]
    ).model.net.state_dict()
    assert all(torch.equal(plain[key], by_tuple[key]) for key in plain)
    with pytest.raises(TypeError, match="logits_of="):
        run(SULI(), Wrapped("tuple"), request("class-wise"))


def test_bf16_takes_the_same_decision_and_stays_float32_outside():
    AcceleratorState._reset_state(True)
    GradientState._reset_state()
    try:
        accelerator = Accelerator(mixed_precision="bf16")
        asked = request("class-wise")
        method = SULI(lr=3e-3, sweeps=20)
        result = run(method, trained_convnet(), asked, accelerator=accelerator)
        assert result.precision == "bf16" and result.stop_reason == "target met"
        for value in result.model.state_dict().values():
            assert value.dtype in (torch.float32, torch.int64) and value.is_contiguous()
    finally:
        AcceleratorState._reset_state(True)
        GradientState._reset_state()


def test_fp16_on_a_cpu_is_refused():
    AcceleratorState._reset_state(True)
    try:
        with pytest.raises(ValueError, match="fp16 on a CPU"):
            accelerator = Accelerator(mixed_precision="fp16", cpu=True)
            run(SULI(), trained_convnet(), request("class-wise"), accelerator=accelerator)
    finally:
        AcceleratorState._reset_state(True)
        GradientState._reset_state()


def images(count=8, channels=1, size=8, label=3):
    return ImageSet.of_tensors(
        torch.zeros(count, channels, size, size, dtype=torch.uint8), torch.full((count,), label)
    )


@pytest.mark.parametrize(
    ("forget", "classes", "message"),
    [
        (images(), (10,), r"class 10 is out of range: the model has 10 outputs \(0 to 9\)"),
        (images(), (-1,), "class -1 is out of range"),
        (images(count=0), (3,), "forget set is empty"),
        (images(), tuple(range(10)), "every class is forgotten"),
        (images(label=12), (3,), r"holds label 12, but the model has 10 outputs"),
        (images(label=-1), (3,), r"holds label -1"),
        (images(channels=3), (3,), r"cannot take an image of the forget set, shape \(3, 8, 8\)"),
    ],
)
def test_bad_requests_get_one_clear_line(forget, classes, message):
    with pytest.raises(ValueError, match=message) as raised:
        run(SULI(), trained_convnet(), ForgetRequest(forget=forget, forget_classes=classes))
    assert "\n" not in str(raised.value)


def test_a_label_outside_is_found_wherever_it_is():
    labels = torch.tensor([3] * 7 + [11])
    with pytest.raises(ValueError, match="holds label 11"):
        run(
            SULI(),
            trained_convnet(),
            ForgetRequest(forget=images().relabelled(labels), forget_classes=(3,)),
        )


def of_classes(*labels):
    return images(count=len(labels)).relabelled(torch.tensor(labels))


@pytest.mark.parametrize(
    ("forget", "classes", "message"),
    [
        (of_classes(3, 3), (4,), r"class 4 to be forgotten, .* holds images of class 3; name"),
        (of_classes(3, 5, 3), (3,), "class 3 to be forgotten, .* images of classes 3, 5; name"),
        (of_classes(3), (3, 5), "classes 3, 5 to be forgotten, .* images of class 3; name"),
        (of_classes(*range(10)), (3,), "class 3 .* classes 0, 1, 2, 3, 4 and 5 more; name"),
    ],
)
def test_a_request_that_names_other_classes_than_its_images_have_is_refused(
    forget, classes, message
):
    with pytest.raises(ValueError, match=f"contradicts itself: it names {message}"):
        run(SULI(), trained_convnet(), ForgetRequest(forget=forget, forget_classes=classes))


def test_the_slip_is_found_in_a_streamed_set_too():
    class Stream(Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, position):
            return torch.zeros(1, 8, 8), [3, 3, 5][position]

    asked = ForgetRequest(forget=Stream(), forget_classes=(3,))
    with pytest.raises(ValueError, match="images of classes 3, 5"):
        run(SULI(), trained_convnet(), asked, memory_limit=0)


def test_a_retain_set_with_images_of_a_forgotten_class_is_refused():
    asked = request("class-wise")
    whole = replace(asked, retain=asked.retain.relabelled(torch.arange(len(asked.retain)) % 10))
    with pytest.raises(ValueError, match="class 3 to be forgotten, but the retain set holds"):
        run(FineTune(), trained_convnet(), whole)


def test_a_streamed_retain_set_is_not_read_for_its_labels():
    reads = []

    class Stream(Dataset):
        def __len__(self):
            return 500

        def __getitem__(self, position):
            reads.append(position)
            return torch.zeros(1, 8, 8), 1

    @dataclass(frozen=True, kw_only=True)
    class Nothing(Greedy):
        needs: ClassVar[dict] = {"class-wise": frozenset({"retain"})}

    asked = ForgetRequest(retain=Stream(), forget_classes=(3,))
    run(Nothing(), trained_convnet(), asked, memory_limit=0)
    assert set(reads) == {0}


@pytest.mark.parametrize("classes", [3, "3", (3.0,), (True,), ("3",), None])
def test_forgotten_classes_that_are_no_sequence_of_numbers_are_refused_with_what_came(classes):
    with pytest.raises(TypeError, match=r"sequence of whole numbers, such as \(3,\), got"):
        ForgetRequest(forget_classes=classes)


@pytest.mark.parametrize(
    "classes", [[5, 3, 5], {3, 5}, range(3, 6, 2), np.array([3, 5]), torch.tensor([3, 5])]
)
def test_forgotten_classes_may_be_any_whole_numbers(classes):
    assert ForgetRequest(forget_classes=classes).forget_classes == (3, 5)


def test_a_request_can_be_checked_without_running_it():
    asked, model = request("class-wise"), trained_convnet()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    check(SULI(), model, asked)
    check(BoundaryShrink(), model, asked)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    with pytest.raises(ValueError, match="logit_mask supports class-wise"):
        check(LogitMask(), model, request("instance-wise"))
    with pytest.raises(ValueError, match="images of class 3"):
        check(SULI(), model, replace(asked, forget_classes=(4,)))
    normalised = ImageSet.of_tensors(torch.full((4, 1, 8, 8), -1.0), torch.full((4,), 3))
    with pytest.raises(ValueError, match="boundary_shrink works on images whose pixels are in"):
        check(BoundaryShrink(), model, replace(asked, forget=normalised))


def test_an_empty_retain_set_means_that_everything_is_forgotten():
    asked = replace(request("class-wise"), retain=images(count=0))
    with pytest.raises(ValueError, match="forget set would be everything"):
        run(FineTune(), trained_convnet(), asked)


def test_non_finite_logits_are_refused():
    model = trained_convnet()
    with torch.no_grad():
        model[-1].weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="non-finite logits"):
        run(SULI(), model, request("class-wise"))


def test_an_image_of_the_wrong_size_is_refused():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    asked = ForgetRequest(forget=images(size=7), forget_classes=(3,))
    with pytest.raises(ValueError, match=r"shape \(1, 7, 7\)"):
        run(SULI(), linear, asked)


def test_a_diverging_loss_is_said_with_its_step():
    method = NegGrad(lr=1e30, max_grad_norm=1e30)
    with pytest.raises(ValueError, match=r"non-finite|became"):
        run(method, trained_convnet(), request("class-wise"))


def test_a_model_without_trainable_parameters_is_refused():
    model = trained_convnet().requires_grad_(False)
    with pytest.raises(ValueError, match="no trainable parameter"):
        run(SULI(), model, request("class-wise"))
