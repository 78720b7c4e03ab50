"""The count of passes, and its limit: the run ends before what would be over it."""

from functools import cache

import pytest
from small_problem import recorded

from suli_plugin.cost import Passes
from suli_plugin.over_budget import OverBudget
from suli_plugin.plugins import load_plugins
from suli_plugin.runner import run
from suli_plugin.unlearned import OverBudgetRun


def test_samples_are_counted_as_often_as_they_pass():
    passes = Passes()
    passes.add({"forget": 3, "retain": 2})
    passes.add({"forget": 4}, backward=2)
    passes.add({"synthetic": 5}, forward=0, backward=1)
    assert passes.forward == {"forget": 7, "retain": 2}
    assert passes.backward == {"forget": 8, "synthetic": 5} and passes.total == 22


def test_what_would_be_over_the_limit_is_refused_uncounted_and_so_is_all_that_follows():
    passes = Passes(limit=10)
    passes.add({"forget": 5}, backward=1)
    for more in (1, 0):
        with pytest.raises(OverBudget, match="11 passes, where 10 are allowed"):
            passes.add({"forget": more})
    assert passes.total == 10


def test_counts_by_hand_are_over_the_limit_too():
    passes = Passes(limit=10)
    passes.check()
    passes.forward["forget"] += 12
    with pytest.raises(OverBudget):
        passes.check()


TUNABLE = {
    name: cls for name, cls in load_plugins(strict=True).unlearners.items() if cls.search_space
}
problem = cache(recorded)


@pytest.mark.parametrize("name", TUNABLE)
def test_every_method_that_can_be_tuned_is_ended_at_its_limit(name):
    method, limit = TUNABLE[name](), 30
    original, request = problem(next(iter(method.needs)))
    before = {key: value.clone() for key, value in original.state_dict().items()}
    with pytest.raises(OverBudgetRun, match="where 30 are allowed") as ended:
        run(method, original, request, pass_limit=limit)
    left = ended.value.unlearned
    assert sum(sum(kinds.values()) for kinds in left.passes.values()) <= limit
    assert left.stop_reason.startswith("over budget: ")
    assert all(value.equal(before[key]) for key, value in original.state_dict().items())
