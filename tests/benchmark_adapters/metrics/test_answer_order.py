"""Answer order against SciPy's rank correlation, and what leaves it as it is."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from benchmark_adapters.metrics.answer_order import answer_order
from benchmark_adapters.metrics.output_modules import AnswerOrder

DRAW = np.random.default_rng(0)
ONE = DRAW.normal(size=(40, 6))
OTHER = ONE + DRAW.normal(size=(40, 6))
TIED = OTHER.round()


@pytest.mark.parametrize("other", [OTHER, TIED])
def test_it_is_the_mean_of_scipys_rank_correlation(other):
    expected = [spearmanr(one, two).statistic for one, two in zip(ONE, other, strict=True)]
    assert answer_order(ONE, other) == pytest.approx(np.mean(expected), abs=1e-12)
    kept = [0, 1, 3, 4]
    assert answer_order(ONE, other, left_out=(2, 5)) == pytest.approx(
        answer_order(ONE[:, kept], other[:, kept]), abs=1e-12
    )


@pytest.mark.parametrize("change", [lambda x: 0.3 * x - 7, np.exp, lambda x: x**3])
def test_increasing_functions_change_nothing_and_it_is_symmetric(change):
    assert answer_order(change(ONE), OTHER) == pytest.approx(answer_order(ONE, OTHER), abs=1e-12)
    assert answer_order(OTHER, ONE) == pytest.approx(answer_order(ONE, OTHER), abs=1e-12)


def test_it_reaches_its_bounds_and_answers_that_say_nothing_are_in_the_middle():
    assert answer_order(ONE, ONE) == pytest.approx(1)
    assert answer_order(ONE, -ONE) == pytest.approx(-1)
    assert answer_order(ONE, np.full((40, 6), 2.0)) == 0
    masked = ONE.copy()
    masked[:, 3] = -1e30
    assert answer_order(ONE, masked) < 1 == pytest.approx(answer_order(ONE, masked, left_out=[3]))


def test_the_module_gives_the_same():
    found = AnswerOrder(keep_in_memory=True).compute(
        predictions=ONE, references=OTHER, left_out=(1,)
    )
    assert found == {"answer_order": answer_order(ONE, OTHER, left_out=(1,))}


def test_other_images_and_too_few_classes_are_refused():
    with pytest.raises(ValueError, match=r"two models' answers \(N, K\) to the same images"):
        answer_order(ONE, OTHER[:30])
    with pytest.raises(ValueError, match=r"two classes at least that count, got .* and 1"):
        answer_order(ONE, OTHER, left_out=range(5))
