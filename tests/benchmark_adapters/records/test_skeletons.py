"""Weights of any method's result can be loaded again, also where it is no twin of the original."""

import pytest
import torch
from small_problem import convnet

from benchmark_adapters.baselines.sisa import Sisa
from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.records.evidence import load_unlearned, write_evidence
from benchmark_adapters.records.provenance import state_hash
from benchmark_adapters.records.skeletons import skeleton_of
from suli_plugin import run

SISA = {"shards": 2, "slices": 1}


def record(method="sisa", **fields):
    return {"method": method, "scope": "class-wise", "hyperparameters": fields}


def test_an_ensemble_is_kept_and_loaded_again(tmp_path):
    case = Digits().case("instance-32", 0)
    method = Sisa(shards=2, slices=1)
    made = run(method, case.original, case.request).model
    kept = write_evidence(tmp_path / "0", made, {})["model"]
    path = tmp_path / kept["file"]
    skeleton = skeleton_of(record(**method.hyperparameters()), case.fresh_model)
    assert state_hash(load_unlearned(path, kept["sha256"], skeleton)) == state_hash(made)
    with pytest.raises(ValueError, match="do not fit"):
        load_unlearned(path, kept["sha256"], case.fresh_model())


@pytest.mark.parametrize(
    ("made", "networks"),
    [(record(**SISA), 2), (record("sisa@official"), 5), (record("finetune", lr=0.1), 0)],
)
def test_the_fields_of_a_record_decide_its_skeleton(made, networks):
    found = skeleton_of(made, convnet).state_dict()
    prefixes = [f"networks.{index}." for index in range(networks)] or [""]
    assert list(found) == [prefix + name for prefix in prefixes for name in convnet().state_dict()]


@pytest.mark.parametrize("made", [record("of_a_stranger"), record("sisa", colour="red")])
def test_what_is_not_installed_here_is_taken_for_a_twin(made):
    assert list(skeleton_of(made, convnet).state_dict()) == list(convnet().state_dict())
    assert isinstance(skeleton_of(made, convnet), torch.nn.Sequential)
