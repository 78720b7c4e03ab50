"""Streamed images that worker processes decode ahead are those that are asked for."""

import multiprocessing
import os
import subprocess
import sys
import textwrap
import time

import pytest
import torch
from repository import ROOT
from torch.utils.data import Dataset

from suli_plugin.images import ImageSet
from suli_plugin.mixed_images import MixedImages
from suli_plugin.pixel_store import PixelStore
from suli_plugin.planned_reads import planned
from suli_plugin.read_ahead import AHEAD, AT_ONCE, ReadAhead, decode_workers

CPU = torch.device("cpu")


class Numbered(Dataset):
    """Images that show their number, and whether a worker made them (1); label: number % 3."""

    def __init__(self, count, broken=-1):
        self.count, self.broken = count, broken

    def __len__(self):
        return self.count

    def __getitem__(self, row):
        if row == self.broken:
            raise ValueError(f"row {row} (cat.jpg) can't be decoded")
        pixels = torch.full((3, 2, 2), row, dtype=torch.uint8)
        pixels[2] = multiprocessing.parent_process() is not None
        return pixels, row % 3


def streamed(count=100, workers=2, **said):
    labels = torch.arange(count) % 3
    return ImageSet(PixelStore(Numbered(count, **said), 0, labels, workers=workers))


def numbers(images, positions):
    return images.pixels(positions, CPU)[0][:, 0, 0, 0].tolist()


def made_by_workers(images, positions):
    """For all of them, or for some and not for others: {1}, {0} or both."""
    return set(images.pixels(positions, CPU)[0][:, 2, 0, 0].tolist())


def test_planned_batches_come_from_workers_and_others_from_here():
    images = streamed()
    batches = torch.randperm(100, generator=torch.Generator().manual_seed(0)).split(40)
    with planned((images, batch) for batch in batches):
        assert numbers(images, torch.tensor([7, 3])) == [7, 3]  # not planned: read here
        for batch in batches:
            assert made_by_workers(images, batch) == {1}
    with planned((images, batch) for batch in batches):
        assert [numbers(images, batch) for batch in batches] == [b.tolist() for b in batches]
        assert images.batch(batches[0], CPU).labels.tolist() == [n % 3 for n in batches[0].tolist()]
    assert made_by_workers(images, batches[0]) == {0}


def test_a_plan_that_is_broken_off_leaves_nothing_for_the_next():
    images = streamed()
    with pytest.raises(KeyboardInterrupt), planned((images, torch.arange(50)) for _ in range(3)):
        numbers(images, torch.arange(50))
        raise KeyboardInterrupt
    wanted = torch.arange(60, 90)
    with planned([(images, wanted)]):
        assert numbers(images, wanted) == wanted.tolist()
        with planned([(images, torch.arange(5))]):  # within another: read when asked for
            assert numbers(images, torch.arange(5)) == [0, 1, 2, 3, 4]


def test_sets_over_one_store_share_the_workers_in_the_order_of_the_plan():
    whole = streamed()
    odd, even = whole.subset(range(1, 100, 2)), whole.subset(range(0, 100, 2))
    mixed = MixedImages([odd, even])
    reads = [(even, torch.arange(20)), (odd, torch.arange(10)), (mixed, torch.tensor([60, 0, 1]))]
    with planned(reads):
        assert numbers(even, reads[0][1]) == list(range(0, 40, 2))
        assert numbers(odd, reads[1][1]) == list(range(1, 21, 2))
        found = mixed.batch(reads[2][1], CPU).images[:, 0, 0, 0] * 255
        assert found.round().tolist() == [20, 1, 3]
        ahead = whole._store._ahead
        assert not ahead._batches  # all of the plan was taken
    assert len(multiprocessing.active_children()) >= 2


def test_an_error_of_a_worker_is_the_one_line_that_it_is_here():
    images = streamed(broken=33)
    with planned([(images, torch.arange(40))]), pytest.raises(ValueError) as caught:
        numbers(images, torch.arange(40))
    assert str(caught.value) == "row 33 (cat.jpg) can't be decoded"
    assert not images._store._ahead._running  # its workers have ended
    with planned([(images, torch.arange(9))]):
        assert numbers(images, torch.arange(9)) == list(range(9))


def test_a_process_does_not_wait_for_its_workers_when_it_ends():
    script = """
        import time, torch
        from test_read_ahead import numbers, planned, streamed
        images = streamed()
        with planned([(images, torch.arange(40))]):
            numbers(images, torch.arange(40))
        print(time.time())
    """
    places = os.pathsep.join([os.path.dirname(__file__), str(ROOT / "tests/support")])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True,
        check=True, env={**os.environ, "PYTHONPATH": places},
    )  # fmt: skip
    # The loader itself waits five seconds for each of them.
    assert time.time() - float(done.stdout) < 4


def test_the_random_state_of_a_run_is_not_touched():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    images = streamed()
    for _ in range(2):
        with planned([(images, torch.arange(40))]):
            numbers(images, torch.arange(40))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("one", [100, 150_528, 40 * 2**20])
def test_what_is_decoded_ahead_is_bounded_in_bytes_whatever_an_image_takes(one):
    ahead = ReadAhead(Numbered(10), 8, one)
    held = ahead._tasks * 8 * ahead._at_once
    assert held * one <= max(AHEAD, 2 * 8 * one) and 1 <= ahead._at_once <= AT_ONCE


def test_the_number_of_workers_is_that_of_the_cores_unless_it_is_said(monkeypatch):
    monkeypatch.delenv("SULI_DECODE_WORKERS", raising=False)
    cores = len(os.sched_getaffinity(0))
    assert decode_workers() == (min(8, cores) if cores > 1 else 0)
    monkeypatch.setenv("SULI_DECODE_WORKERS", "3")
    assert decode_workers() == 3
    monkeypatch.setattr(multiprocessing.current_process(), "_config", {"daemon": True})
    assert decode_workers() == 0
    monkeypatch.undo()
    monkeypatch.setenv("SULI_DECODE_WORKERS", "many")
    with pytest.raises(ValueError, match="SULI_DECODE_WORKERS must be a number of processes"):
        decode_workers()
