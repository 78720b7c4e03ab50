"""Which settings a tuning run tries: the source's first, then others, each once, by seed."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest

from benchmark_adapters.baselines.neg_grad_plus import NegGradPlus
from benchmark_adapters.baselines.random_label import RandomLabel
from benchmark_adapters.tuning.trials import at_edge, draw_trials, searched
from suli_plugin import SULI
from suli_plugin.hyperparameters import bounds


def values(trials):
    return [trial.unlearner for trial in trials]


def test_the_start_is_first_and_all_trials_differ():
    start = SULI.preset("official", "class-wise")
    trials = draw_trials(start, 25, seed=0)
    assert trials[0].unlearner == start and len(set(values(trials))) == 25
    assert [trial.index for trial in trials] == list(range(25))


def test_a_larger_budget_goes_on_with_the_same_draw_and_another_seed_has_its_own():
    few, many = (values(draw_trials(SULI(), budget, seed=0)) for budget in (5, 40))
    assert many[:5] == few != values(draw_trials(SULI(), 5, seed=1))


def test_a_small_space_is_tried_whole_and_no_further():
    # Six learning rates, three BatchNorm policies, two batch sizes; the start is none of them.
    start = RandomLabel(lr=2e-4)
    tried = values(draw_trials(start, 1000, seed=0))
    assert len(tried) == 1 + 36 and len(set(tried)) == 37
    assert len(draw_trials(RandomLabel(), 1000, seed=0)) == 36


def test_only_fields_of_the_space_change():
    start = SULI(suppress="argmax", batch_size=100)
    for trial in draw_trials(start, 30, seed=3):
        back = {name: getattr(start, name) for name in SULI.search_space}
        assert replace(trial.unlearner, **back) == start


def test_what_was_set_by_hand_stays():
    start = SULI(lr=7e-5, batch_norm="frozen")
    tried = values(draw_trials(start, 30, seed=0, fixed=["lr", "batch_norm"]))
    assert {unlearner.lr for unlearner in tried} == {7e-5}
    assert {unlearner.batch_norm for unlearner in tried} == {"frozen"}
    assert len({unlearner.teacher for unlearner in tried}) == 2


def test_a_field_that_is_switched_off_is_not_searched_unless_none_is_a_value():
    assert "n_layers" not in searched(SULI.preset("official", "class-wise"))
    assert "layer_size" not in searched(SULI())
    assert "max_grad_norm" in searched(NegGradPlus())


@dataclass(frozen=True, kw_only=True)
class Choosy(RandomLabel):
    """A method that takes some values, but not together."""

    search_space: ClassVar[dict] = {"lr": (1e-4, 1e-3), "batch_size": (64, 256)}

    def __post_init__(self):
        super().__post_init__()
        if self.lr == 1e-3 and self.batch_size == 64:
            raise ValueError("too fast for so small a batch")


def test_values_that_a_method_refuses_together_are_no_trial():
    assert len(draw_trials(Choosy(), 10, seed=0)) == 3


def test_no_trial_at_all_is_refused():
    with pytest.raises(ValueError, match="at least one trial"):
        draw_trials(SULI(), 0, seed=0)


@dataclass(frozen=True, kw_only=True)
class Edged(RandomLabel):
    """Numbers between bounds of their own, and words."""

    search_space: ClassVar[dict] = {
        "lr": (1e-4, 1e-3, 1e-2), "momentum": (0.0, 0.5, 0.9), "batch_norm": ("frozen", "update"),
    }  # fmt: skip
    momentum: float = field(default=0.0, metadata=bounds(at_least=0, below=1))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"lr": 1e-3, "momentum": 0.5}, []),
        ({"lr": 1e-4, "momentum": 0.0}, ["lr"]),
        ({"lr": 1e-2, "momentum": 0.9}, ["lr", "momentum"]),
        ({"lr": 5.0, "momentum": 0.5, "batch_norm": "frozen"}, ["lr"]),
    ],
)
def test_the_ends_of_numbers_are_edges_unless_nothing_lies_beyond(settings, expected):
    method = Edged(**settings)
    assert sorted(at_edge(method, searched(method))) == expected
    assert at_edge(method, searched(method, fixed=["lr", "momentum"])) == []
