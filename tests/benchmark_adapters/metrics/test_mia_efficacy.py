"""MIA-efficacy: members look like members, strangers like strangers, and the public recipe."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC

from benchmark_adapters.metrics.mia_efficacy import entropy_membership, mia_efficacy


def confident(count, seed=0, shape=(30, 1)):
    return np.random.default_rng(seed).beta(*shape, count)


def unsure(count, seed=1):
    return confident(count, seed, (3, 3))


def test_the_untouched_forget_set_is_member_and_unseen_data_is_not():
    retain, unseen = confident(300), unsure(300)
    assert mia_efficacy(confident(200, 2), retain, unseen) < 0.1
    assert mia_efficacy(unsure(200, 3), retain, unseen) > 0.9


def test_it_is_the_fraction_called_unseen_by_the_source_s_classifier():
    retain, unseen = confident(90, shape=(6, 2)), unsure(70)
    forget = confident(50, 5, (5, 3))
    drawn = np.random.default_rng(4)
    sides = [drawn.choice(retain, 70, False), drawn.choice(unseen, 70, False)]
    attacker = SVC(C=3, kernel="rbf", gamma=1.0)
    attacker.fit(np.concatenate(sides).reshape(-1, 1), [1] * 70 + [0] * 70)
    members = sum(attacker.predict([[value]])[0] == 1 for value in forget)
    ours = mia_efficacy(forget, retain, unseen, seed=4)
    assert ours == pytest.approx(1 - members / 50) and 0 < ours < 1


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_swapping_members_and_others_swaps_the_answer(seed):
    draw = np.random.default_rng(seed)
    forget, one, other = draw.uniform(size=(3, 40))
    straight = mia_efficacy(forget, one, other)
    assert 0 <= straight <= 1
    # The sides are equally large, so all of both is drawn and only the names change.
    assert mia_efficacy(forget, other, one) == pytest.approx(1 - straight, abs=0.051)


def test_the_order_of_the_forget_set_does_not_matter_and_inputs_and_numpys_generator_stay():
    forget, retain, unseen = unsure(60, 7), confident(200), unsure(100)
    before, state = [values.copy() for values in (forget, retain, unseen)], np.random.get_state()
    assert mia_efficacy(forget[::-1], retain, unseen) == mia_efficacy(forget, retain, unseen)
    for values, old in zip((forget, retain, unseen), before, strict=True):
        assert np.array_equal(values, old)
    assert (
        np.array_equal(np.random.get_state()[1], state[1]) and np.random.get_state()[2] == state[2]
    )


def test_a_large_retain_set_does_not_outvote_the_others():
    same = confident(3000), confident(60, 9)
    alike = [mia_efficacy(confident(200, 11), *same, seed=seed) for seed in range(5)]
    assert np.mean(alike) > 0.2  # unbalanced, always saying "member" would give 0


def test_the_limit_holds_for_both_sides_and_none_takes_all():
    forget, retain, unseen = confident(40, 3, (4, 2)), confident(200, 1, (6, 2)), unsure(200)
    attacker = SVC(C=3, gamma="auto").fit(np.r_[retain, unseen][:, None], np.repeat([1, 0], 200))
    expected = np.mean(attacker.predict(forget[:, None]) == 0)
    assert mia_efficacy(forget, retain, unseen, limit=None) == pytest.approx(expected, abs=0.026)
    assert mia_efficacy(forget, retain, unseen, limit=5) != mia_efficacy(forget, retain, unseen)


def test_losses_instead_of_confidences_are_refused():
    with pytest.raises(ValueError, match=r"forget confidences: .* got 3 to 3"):
        mia_efficacy([3.0], [0.5], [0.2])
    with pytest.raises(ValueError, match="unseen confidences: expected a non-empty array"):
        mia_efficacy([0.3], [0.5], [])


def test_entropies_of_members_are_called_member():
    retain, unseen = 0.1 * unsure(3000), 1 + 0.1 * unsure(40)
    assert entropy_membership(0.1 * unsure(50, 4), retain, unseen) == 1
    assert entropy_membership(1 + 0.1 * unsure(50, 4), retain, unseen) == 0
    middle = entropy_membership(unsure(500, 4), retain, unseen)
    # On one feature a logistic regression is a threshold.
    values = np.sort(unsure(500, 4))
    single = [entropy_membership([value], retain, unseen) for value in values[::50]]
    assert single == sorted(single, reverse=True) and 0 < middle < 1


def test_many_members_do_not_make_everything_a_member():
    draw = np.random.default_rng(0)
    retain, unseen = draw.uniform(0, 1, 3000), draw.uniform(0.5, 1.5, 40)
    # Sides that count the same are parted at 3/4, by symmetry; there a quarter is below.
    called = entropy_membership(draw.uniform(0.5, 1.5, 1000), retain, unseen)
    assert called == pytest.approx(0.25, abs=0.1)
