"""The score of a record and the panel: names, ranges, and what they say of known models."""

import copy
import dataclasses
import math

import pytest
import torch
from accelerate import Accelerator
from small_problem import convnet, request, trained_convnet

from benchmark_adapters.architectures.digits_convnet import digits_convnet
from benchmark_adapters.baselines.logit_mask import LogitMask
from benchmark_adapters.benchmarks.digits import digits_parts
from benchmark_adapters.metrics.panel import (
    Retrained,
    observe,
    panel,
    relearned,
    yardstick,
)
from benchmark_adapters.metrics.scoring import score
from suli_plugin import run
from suli_plugin.benchmark import Case

NOT_FRACTIONS = {"activation_distance", "relearn_updates", "anamnesis_index"}
SCORE = {
    "forget_accuracy", "retain_accuracy", "test_accuracy", "mia_accuracy", "mia_auc",
}  # fmt: skip
PANEL = SCORE | {
    "mia_deviation", "reference_accuracy", "unlearning_accuracy", "mia_efficacy",
    "entropy_membership", "zrf", "relearn_updates", "relearn_reached",
}  # fmt: skip
CLASS_WISE = {"test_forget_accuracy", "test_retain_accuracy"}
PROBE = {"linear_probe_forget_accuracy", "linear_probe_retain_accuracy"}
TO_RETRAINED = {"activation_distance", "js_divergence", "average_gap", "tow"}


def case(scope):
    asked = request(scope)
    return Case(
        original=trained_convnet(),
        forget=asked.forget,
        retain=asked.retain,
        reference=asked.reference,
        test=digits_parts().test,
        fresh_model=convnet,
        forget_classes=asked.forget_classes,
    )


def measured(model, scope, retrained=None, **options):
    made, accelerator = case(scope), Accelerator()
    against = yardstick(made, accelerator, seed=0, **options)
    if retrained is not None:
        gold = observe(retrained, made, accelerator)
        times = relearned(panel(retrained, gold, made, accelerator, against))
        against = dataclasses.replace(against, retrained=Retrained(gold, times, "hash"))
    return panel(model, observe(model, made, accelerator), made, accelerator, against)


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
def test_the_score_has_its_names_and_the_panel_agrees_with_it(scope):
    names = SCORE | (CLASS_WISE if scope == "class-wise" else set())
    model, made = trained_convnet(seed=1), case(scope)
    scores = score(model, made, Accelerator(), seed=0)
    assert set(scores) == names
    found = measured(model, scope, relearn_updates=2)
    assert {name: found[name] for name in names} == scores
    assert set(found) == PANEL | (CLASS_WISE | PROBE if scope == "class-wise" else set())


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
def test_the_retrained_model_is_at_no_distance_to_itself(scope):
    model = trained_convnet(seed=2)
    found = measured(model, scope, retrained=model, relearn_updates=5)
    assert {name: round(found[name], 12) for name in TO_RETRAINED} == {
        "activation_distance": 0, "js_divergence": 0, "average_gap": 0, "tow": 1,
    }  # fmt: skip
    fractions = {name: value for name, value in found.items() if name not in NOT_FRACTIONS}
    assert all(0 <= value <= 1 for value in fractions.values()), fractions
    assert all(math.isfinite(value) for value in found.values())


def test_the_panel_tells_a_mask_from_the_accuracy_it_shows():
    original = trained_convnet()
    masked = run(LogitMask(), original, request("class-wise")).model
    found, before = measured(masked, "class-wise"), measured(original, "class-wise")
    assert found["forget_accuracy"] == 0 and found["unlearning_accuracy"] == 1
    probe = "linear_probe_forget_accuracy"
    assert found[probe] == before[probe] > 0.7
    assert before["relearn_updates"] == 0 and found["relearn_updates"] > 0


def test_an_untrained_model_has_forgotten_by_zrf_and_the_original_has_not():
    made, accelerator = case("class-wise"), Accelerator()
    against = yardstick(made, accelerator, seed=0, relearn_updates=0)
    torch.manual_seed(0)
    scores = [
        panel(m, observe(m, made, accelerator), made, accelerator, against)["zrf"]
        for m in (convnet(), made.original)
    ]
    assert scores[0] == pytest.approx(1) and scores[1] < 0.9


def test_relearning_can_be_left_out():
    found = measured(trained_convnet(), "class-wise", trained_convnet(), relearn_updates=0)
    assert not {"relearn_updates", "relearn_reached", "anamnesis_index"} & set(found)


def test_the_index_is_there_where_both_models_relearned():
    slow = trained_convnet()
    with torch.no_grad():
        slow[-1].bias[3] -= 6
    found = measured(slow, "class-wise", retrained=slow, relearn_updates=3000)
    assert found["relearn_reached"] == 1 and found["relearn_updates"] > 0
    assert found["anamnesis_index"] == 1


def test_class_wise_unseen_data_of_the_retain_set_has_no_forgotten_class():
    made = case("class-wise")
    spoiled = copy.deepcopy(made.original)
    with torch.no_grad():
        spoiled[-1].bias[3] = -1e4
    found = measured(spoiled, "class-wise", retrained=made.original, relearn_updates=0)
    # Only the forget set differs, so its two scores are the whole gap.
    before = measured(made.original, "class-wise", relearn_updates=0)
    assert found["test_retain_accuracy"] >= before["test_retain_accuracy"]
    difference = found["mia_efficacy"] - before["mia_efficacy"]
    keeps = abs(found["retain_accuracy"] - before["retain_accuracy"])
    keeps += abs(found["test_retain_accuracy"] - before["test_retain_accuracy"])
    forgets = before["forget_accuracy"] - found["forget_accuracy"]
    assert found["average_gap"] == pytest.approx((forgets + abs(difference) + keeps) / 4)
    kept = (1 - abs(found["retain_accuracy"] - before["retain_accuracy"])) * (
        1 - abs(found["test_retain_accuracy"] - before["test_retain_accuracy"])
    )
    assert found["tow"] == pytest.approx((1 - forgets) * kept)


def test_the_untrained_network_is_the_seed_s_and_the_global_random_state_stays():
    made = dataclasses.replace(case("class-wise"), fresh_model=digits_convnet)
    seen = []
    for state in (1, 2):
        torch.manual_seed(state)
        before = torch.get_rng_state()
        against = yardstick(made, Accelerator(), seed=0, relearn_updates=0)
        assert torch.equal(torch.get_rng_state(), before)
        seen.append(against.untrained.logits)
    assert torch.equal(*seen)
    other = yardstick(made, Accelerator(), seed=1, relearn_updates=0)
    assert not torch.equal(other.untrained.logits, seen[0])
