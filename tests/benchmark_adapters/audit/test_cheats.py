"""No control and no cheat passes an audit of digits, and a Retrain that nobody has seen does."""

from collections import Counter

import pytest
from audited import Auditor, controls, decided, telling
from cheats import CHEATS, masked
from scipy.stats import binom

from benchmark_adapters.audit.case_audit import LIKE, OVER
from benchmark_adapters.audit.judge import HELD_OUT
from benchmark_adapters.audit.spread import LEVEL
from benchmark_adapters.benchmarks.digits import RECIPE, Digits
from suli_plugin.divergence import Diverged

pytestmark = pytest.mark.slow
CLASSES, FRESH = (3, 7, 0), 3
CONTROLS = controls("class-wise")


def audited(scenario, **options):
    return Auditor(Digits().case(scenario, 0), RECIPE, Digits.settings).audit(**options)


@pytest.fixture(scope="module", params=CLASSES, ids=lambda label: f"class {label}")
def audit(request):
    """Of one class of digits."""
    return audited(f"class-{request.param}", fresh=FRESH)


@pytest.fixture(scope="module")
def of_samples():
    """The audit of sixty-four forgotten samples; the cheats are about a class."""
    return audited("instance-64", cheats={}, fresh=FRESH)


@pytest.mark.parametrize("label", ["original", *CONTROLS, *CHEATS])
def test_a_test_with_power_tells_every_control_and_every_cheat_from_retrain(audit, label):
    assert telling(audit, label)


def test_the_audit_has_power_in_outputs_and_in_features(audit):
    kinds = Counter(test.kind for test in audit.tests if test.asks_of_forgetting)
    assert kinds["outputs"] >= 3 and kinds["features"] >= 3
    like, of = audit.counted(HELD_OUT)
    assert like == of == kinds.total()


def excused(audits):
    """Whether Retrains that nobody has seen fail no more tests than the level explains."""
    verdicts = [
        differs
        for audit in audits
        for number in range(1, FRESH + 1)
        for _, differs in decided(audit, f"fresh {number}")
    ]
    return sum(verdicts) <= binom.ppf(0.99, len(verdicts), LEVEL), sum(verdicts), len(verdicts)


def test_a_retrain_that_is_neither_yardstick_nor_held_out_passes(audit, of_samples):
    assert excused([audit])[0] and excused([of_samples])[0], excused([audit, of_samples])


def test_each_cheat_forgets_nothing_and_says_it_has(audit):
    accuracies = next(test for test in audit.tests if test.name == "forget_accuracy").values
    assert all(accuracies[name] < 0.2 for name in CHEATS)


@pytest.mark.parametrize("bias", [float("-inf"), float("nan")])
def test_a_bias_that_is_no_number_is_refused_in_one_line(bias):
    case = Digits().case("class-3", 0)
    auditor = Auditor(case, RECIPE, Digits.settings)
    with pytest.raises(Diverged, match="the model gives non-finite logits for") as refusal:
        auditor.cheated(lambda model, case: masked(model, case, bias=bias))
    assert "\n" not in str(refusal.value)


def test_doing_nothing_for_samples_is_found_by_each_test_with_power(of_samples):
    with_power = [test.name for test in of_samples.tests if test.asks_of_forgetting]
    assert telling(of_samples, "original") == with_power and with_power


def test_the_drift_of_statistics_does_not_pass_for_a_method_that_forgot_samples(of_samples):
    assert telling(of_samples, "bn_drift")


def test_damage_is_found_by_its_cost_which_doing_nothing_does_not_have(of_samples):
    (cost,) = (test for test in of_samples.tests if test.kind == "cost")
    assert cost.has_power and cost.verdicts["head_distill"] == OVER
    assert cost.verdicts["original"] == cost.verdicts["bn_drift"] == LIKE


def test_a_head_distilled_anew_answers_as_no_retrain_does(of_samples):
    """By its damage; whether a test of answers has power on so few samples, a processor decides."""
    (answers,) = (test for test in of_samples.tests if test.name == "js_divergence")
    assert answers.distances["head_distill"] > 3 * of_samples.limit
    assert set(controls("instance-wise")) == {"bn_drift", "head_distill"}
