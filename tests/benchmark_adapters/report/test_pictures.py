"""What the report's pictures are made of: objectives, courses, neighbours, maps, marks."""

import pytest
import torch
from torch import nn

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.report.curves import Course
from benchmark_adapters.report.grad_cam import explain, last_feature_maps
from benchmark_adapters.report.palette import DARK, LIGHT, marks, shortened
from benchmark_adapters.report.picture import CannotBeDrawn
from benchmark_adapters.report.pictures import Choice, charts_shown, models_shown, pictured
from benchmark_adapters.report.radar import efficiency, objectives
from benchmark_adapters.report.run_folder import RunFolder, Scenario, Stored
from benchmark_adapters.report.tsne import together

SETS = ("forget", "retain", "test")


def record(method="suli", scope="class-wise", control=False, seconds=1.0, **metrics):
    scores = {
        "retain_accuracy": 0.9, "forget_accuracy": 0.2, "test_retain_accuracy": 0.8,
        "test_accuracy": 0.7, "mia_accuracy": 0.6, "reference_accuracy": 0.5, **metrics,
    }  # fmt: skip
    return {
        "method": method, "scope": scope, "control": control, "metrics": scores, "seed": 0,
        "seconds": {"update": seconds},
    }  # fmt: skip


def scenario(name, *methods, controls=()):
    scope = "class-wise" if name.startswith("class") else "instance-wise"
    records = [record(method, scope, method in controls) for method in methods]
    return Scenario("digits", name, tuple(Stored(None, each) for each in records))


def test_class_wise_objectives_are_what_the_caption_says():
    found = objectives(record(seconds=10.0), None, slowest=100.0, fastest=1.0)
    assert found == pytest.approx([0.9, 0.8, 0.8, 0.8, 0.5])


def test_instance_wise_unlearning_is_closeness_to_retrain_or_else_to_the_reference_set():
    own = record(scope="instance-wise", forget_accuracy=0.9)
    retrained = record("retrain", "instance-wise", forget_accuracy=0.7)
    assert objectives(own, retrained, 1.0, 1.0)[1:3] == pytest.approx([0.8, 0.7])
    assert objectives(own, None, 1.0, 1.0)[1] == pytest.approx(0.6)


def test_membership_inference_below_chance_is_as_far_from_ideal_as_above():
    below, above = (
        objectives(record(mia_accuracy=value), None, 1.0, 1.0)[3] for value in (0.3, 0.7)
    )
    assert below == pytest.approx(above) == pytest.approx(0.6)


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, 1), (1.0, 1), (10.0, 0.5), (100.0, 0)])
def test_efficiency_is_logarithmic_and_full_without_updates(seconds, expected):
    assert efficiency(seconds, slowest=100.0, fastest=1.0) == pytest.approx(expected)
    assert efficiency(2.0, slowest=2.0, fastest=2.0) == 1


def visits(*rounds):
    return [
        {"loss": 0.1, "forget_accuracy": accuracy, "layer": layer, "accepted": accepted}
        for layer, accuracy, accepted in rounds
    ]


def test_a_course_leaves_out_what_was_rolled_back_and_finds_its_sweeps():
    rounds = visits((0, 0.8, True), (1, 0.9, False), (0, 0.5, True), (1, 0.1, True))
    course = Course("suli", rounds, start=1.0)
    assert course.kept == [(0, 1.0), (1, 0.8), (3, 0.5), (4, 0.1)]
    assert course.rolled_back == [(2, 0.9)]
    assert course.sweeps == [(1, 2), (3, 4)]


def test_epochs_have_no_sweeps_and_rounds_without_a_measurement_are_not_watched():
    epochs = visits((None, 0.8, True), (None, 0.4, True))
    assert Course("su", epochs, None).sweeps == [] and Course("su", epochs, None).watched
    assert not Course("finetune", visits((None, None, True)), None).watched


def test_neighbours_of_one_cluster_are_all_forgotten_and_of_mixed_ones_by_chance():
    apart = torch.cat([torch.randn(30, 4), torch.randn(60, 4) + 50]).numpy()
    assert together(apart, forgotten=30, neighbours=10) == 1
    mixed = torch.randn(90, 4).numpy()
    assert 0.2 < together(mixed, forgotten=30, neighbours=10) < 0.46


@pytest.mark.parametrize(
    ("architecture", "layer", "side"),
    [
        ("cifar_resnet18", "layer4", 4),
        ("cifar_resnet20", "layer3", 8),
        ("all_cnn", "classifier", 6),
        # Its last stage leaves one pixel of so small an image.
        ("torchvision/resnet18", "layer3", 2),
    ],
)
def test_the_layer_is_the_last_whose_maps_are_larger_than_a_pixel(architecture, layer, side):
    model = build_architecture(architecture, 10)
    found = last_feature_maps(model, torch.rand(1, 3, 32, 32))
    assert (found.name, found.height, found.width) == (layer, side, side)
    assert explain("it", model, layer, torch.rand(2, 3, 32, 32)).heat.shape == (2, 32, 32)


def test_a_network_without_maps_is_said_to_have_none():
    with pytest.raises(CannotBeDrawn, match="no layer with maps of features"):
        last_feature_maps(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), torch.rand(1, 3, 2, 2))


def one_spot_network():
    """Class 1 rises with the brightness of the pixels, class 0 is constant."""
    net = nn.Sequential(
        nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(1, 2),
    )  # fmt: skip
    with torch.no_grad():
        net[0].weight.fill_(1)
        net[4].weight.copy_(torch.tensor([[0.0], [100.0]]))
        net[4].bias.zero_()
    return net


def test_the_map_lights_the_pixel_that_makes_the_answer():
    image = torch.zeros(1, 1, 8, 8)
    image[0, 0, 2, 5] = 1
    found = explain("it", one_spot_network(), "1", image)
    assert found.classes.tolist() == [1] and found.heat.max() == 1
    assert divmod(int(found.heat[0].argmax()), 8) == (2, 5)
    assert (found.heat > 0).sum() == 1


def test_frozen_weights_can_be_explained_and_the_model_stays_as_it_was():
    net = one_spot_network().requires_grad_(False).train()
    found = explain("it", net, "1", torch.rand(2, 1, 8, 8))
    assert found.heat.max() > 0 and net.training
    assert all(weight.grad is None for weight in net.parameters())


def test_marks_tell_twenty_methods_and_the_controls_apart():
    labels = ["original", "retrain", *(f"m{number}" for number in range(20)), "c1", "c2"]
    for theme in (LIGHT, DARK):
        found = marks(theme, labels, ["c1", "c2"])
        looks = [(mark.color, mark.shape, mark.filled) for mark in found.values()]
        assert len(set(looks)) == len(labels)
        assert not found["c1"].filled and not found["c2"].filled and found["m0"].filled


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_text_and_hues_stand_out_from_the_background(theme):
    def contrast(color):
        low, high = sorted((luminance(color), luminance(theme.background)))
        return (high + 0.05) / (low + 0.05)

    assert contrast(theme.text) > 7
    assert min(map(contrast, (*theme.hues, theme.faint))) > 3


def test_long_names_are_cut_and_control_characters_dropped():
    assert shortened("a" * 100) == "a" * 21 + "…"
    assert shortened("su\x1b[31m\nli\u202e") == "su[31mli"


def test_by_default_the_first_scenario_of_each_scope_is_pictured():
    run = RunFolder(tuple(scenario(n, "suli") for n in ("class-1", "class-2", "instance-64")), ())
    assert [s.name for s in pictured(run, Choice())] == ["class-1", "instance-64"]
    assert [s.name for s in pictured(run, Choice(scenarios=["class-*"]))] == ["class-1", "class-2"]


def test_requests_that_follow_one_another_are_pictured_beside_single_ones():
    once = {"forget_accuracy": 0.0, "retain_accuracy": 0.9, "test_accuracy": 0.5}
    drift = {name: {"js_divergence": 0.1, "same_answers": 0.9} for name in SETS}
    after = [once, {**once, "earlier_accuracy": 0.5}]
    noted = {"sequence": {"after_each": after, "drift": drift, "at_once": once}}
    found = {"scenario": "sequence-2-classes-1-2", **record("su"), "notes": noted}
    several = Scenario("digits", found["scenario"], (Stored(None, found),))
    run = RunFolder((scenario("class-1", "su"), scenario("class-2", "su"), several), ())
    assert [each.in_turn for each in run.scenarios] == [False, False, True]
    assert [each.name for each in pictured(run, Choice())] == ["class-1", found["scenario"]]


def test_by_default_charts_have_one_retrain_and_everything_else():
    labels = ["original", "retrain", "retrain@2", "retrain_held_out", "suli", "bias_mask"]
    found = scenario("class-1", *labels, controls=["bias_mask"])
    assert charts_shown(found) == ["original", "retrain", "suli", "bias_mask"]


def test_further_retrains_take_no_hue_from_methods():
    alone = marks(LIGHT, ["original", "retrain", "suli"], [])
    labels = ["original", "retrain", "retrain@2", "retrain@3", "retrain_held_out", "suli"]
    found = marks(LIGHT, labels, [])
    assert found["suli"] == alone["suli"]
    assert len({(mark.shape, mark.filled) for mark in found.values()}) == len(labels)


def test_by_default_models_are_original_retrain_suli_and_two_controls():
    found = scenario(
        "class-1", "original", "retrain", "suli", "suli@official", "su", "bn_drift",
        controls=["bn_drift"],
    )  # fmt: skip
    assert models_shown(found) == ["original", "retrain", "suli", "bn_drift"]
    assert models_shown(scenario("class-1", "original", "su", "delete")) == ["original", "su"]
    audited = ["retrain", "retrain@2", "retrain_held_out", "suli", "bias_mask", "logit_mask"]
    found = scenario("class-1", *audited, controls=["bias_mask", "logit_mask"])
    assert models_shown(found) == ["retrain", "suli", "logit_mask"]
    theirs = scenario("class-1", "suli", "a", "b", "c", controls=["a", "b", "c"])
    assert models_shown(theirs) == ["suli", "a", "b"]
