"""What a session lends beyond the shared loop."""

from itertools import islice

import torch
from accelerate import Accelerator
from small_problem import request, trained_convnet

from benchmark_adapters.baselines.initial_label import InitialLabel
from suli_plugin import Session, run


def test_cycled_batches_go_round_in_a_new_order_each_time():
    images = request("instance-wise", count=25).forget
    session = Session(accelerator=Accelerator(cpu=True))
    batches = list(islice(session.cycled(images, 10), 9))
    assert [len(batch) for batch in batches] == [10, 10, 5] * 3
    rounds = [torch.cat(batches[i : i + 3]) for i in (0, 3, 6)]
    assert all(torch.equal(one.sort().values, torch.arange(25)) for one in rounds)
    assert not torch.equal(rounds[0], rounds[1]) and not torch.equal(rounds[1], rounds[2])


def test_notes_reach_the_result_and_its_record():
    result = run(InitialLabel(epochs=0), trained_convnet(), request("class-wise"))
    assert result.as_dict()["notes"] == result.notes != {}
