"""In which order a grid's cells are handed out to workers."""

import pytest
from accelerate import Accelerator

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.cell_order import CellOrder
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import by_case
from suli_plugin.plugins import load_plugins

REGISTRY = load_plugins(strict=True)


def order_of(methods, *, scenarios=("class-1", "class-2"), seeds=(0,), **options):
    cells = plan(
        Digits(), REGISTRY, scenarios=scenarios, methods=methods, seeds=seeds,
        accelerator=Accelerator(),
    )  # fmt: skip
    return CellOrder(list(by_case(cells)), at_once=2, **options)


def taken(order, count=99):
    found = []
    while len(found) < count and (cell := order.next()) is not None:
        found.append(cell)
    return found


def names(cells):
    return [f"{cell.scenario} {cell.label} {cell.seed}" for cell in cells]


def test_a_case_waits_for_its_retrain_and_the_next_begins_meanwhile():
    order = order_of(["original", "su", "retrain"])
    first, second = taken(order)
    assert names([first, second]) == ["class-1 retrain 0", "class-2 retrain 0"]
    assert order.through(second) is None
    assert names(taken(order)) == ["class-2 original 0", "class-2 su 0"]
    order.through(first)
    rest = taken(order)
    assert names(rest) == ["class-1 original 0", "class-1 su 0"]
    assert order.through(rest[0]) is None
    assert names(order.through(rest[1])) == [
        "class-1 retrain 0", "class-1 original 0", "class-1 su 0",
    ]  # fmt: skip


def test_workers_get_cases_of_their_own_while_there_are_enough():
    order = order_of(["original", "su", "suli", "finetune", "ssd"])
    four = taken(order, 4)
    assert names(four) == [
        "class-1 original 0", "class-1 su 0", "class-2 original 0", "class-2 su 0",
    ]  # fmt: skip
    order.through(four[2])
    assert names(taken(order, 3)) == ["class-2 suli 0", "class-1 suli 0", "class-2 finetune 0"]


def test_a_cell_that_could_not_be_handed_out_comes_before_the_others_of_its_case():
    order = order_of(["original", "su", "suli"], scenarios=["class-1"])
    (first,) = taken(order, 1)
    order.again(first)
    assert names(taken(order)) == ["class-1 original 0", "class-1 su 0", "class-1 suli 0"]


@pytest.mark.parametrize(
    ("scenario", "alike", "waits"),
    [("class-1", False, True), ("instance-64", False, False), ("instance-64", True, True)],
)
def test_a_repeat_that_all_seeds_share_waits_for_the_seed_before(scenario, alike, waits):
    order = order_of(["retrain@2"], scenarios=[scenario], seeds=(0, 1, 2), one_forget_set=alike)
    dealt = taken(order)
    assert len(dealt) == (1 if waits else 3)
    order.through(dealt[0])
    assert names(taken(order)) == ([f"{scenario} retrain@2 1"] if waits else [])
