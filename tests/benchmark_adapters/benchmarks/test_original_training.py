"""What the training of originals left: made once, kept beside them, refused where there is none."""

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from click.testing import CliRunner
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.baselines.amnesiac import Amnesiac
from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks import original_training
from benchmark_adapters.benchmarks.cifar10 import Cifar10ResNet20
from benchmark_adapters.benchmarks.digits import Digits, digits_original
from suli_plugin import run
from suli_plugin.cli import main
from suli_plugin.failure import DoesNotApply
from suli_plugin.kept_tensors import cache_folder


@dataclass(frozen=True, kw_only=True)
class Quick(Cifar10ResNet20):
    """Two epochs instead of thirty."""

    recipe: ClassVar[Retrain] = Retrain(epochs=2, batch_size=100)


def kept(pattern):
    return sorted(path.name for path in cache_folder().glob(f"training-*-{pattern}.safetensors"))


def no_second_training(monkeypatch):
    def trains(*arguments):
        raise AssertionError("it was trained again")

    for name in ("log_of", "last_epochs_of"):
        monkeypatch.setattr(original_training, name, trains)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_records_are_made_once_for_an_original_and_a_forget_set(monkeypatch):
    records = Digits().case("instance-32", 0).records
    log, ends = records.training_log(), records.last_epochs()
    assert log.steps == 20 * 6 and 20 <= log.sensitive_steps <= log.steps
    last = digits_original(0).state_dict()
    assert all(torch.equal(last[name], value) for name, value in ends.last.parameters.items())
    assert (len(kept("log-*")), len(kept("last-epochs"))) == (1, 1)
    no_second_training(monkeypatch)
    again = Digits().case("instance-32", 0).records
    assert same(again.training_log().change, log.change)
    assert same(again.last_epochs().before_last.gradients, ends.before_last.gradients)
    with pytest.raises(AssertionError, match="trained again"):
        Digits().case("class-3", 0).records.training_log()


def test_shards_are_trained_once_for_all_forget_sets():
    one = Digits().case("instance-32", 0).records.shards(3, 2)
    files = kept("shards-3-2-*")
    assert len(files) == 3 * (2 + 1)
    times = [(cache_folder() / name).stat().st_mtime_ns for name in files]
    other = Digits().case("class-3", 0).records.shards(3, 2)
    assert times == [(cache_folder() / name).stat().st_mtime_ns for name in kept("shards-3-2-*")]
    assert int(one.forgotten.sum()) == 32 != int(other.forgotten.sum())
    assert same(one.checkpoint(1, 2), other.checkpoint(1, 2))


def test_an_augmented_training_of_real_images_can_be_done_again(digits):
    case = Quick(data=str(digits)).case("class-1", 0)
    asked = case.request
    result = run(Amnesiac(epochs=0), case.original, asked)
    assert 0 < result.notes["sensitive_steps"] <= result.notes["training_steps"] == 2 * 4


def test_a_published_original_refuses_in_one_line(digits, original):
    case = Quick(data=str(digits), original=str(original)).case("class-1", 0)
    expected = (
        "amnesiac needs the original's training, which a published original does not bring; "
        "leave out --original to train one"
    )
    with pytest.raises(DoesNotApply) as refused:
        run(Amnesiac(), case.original, case.request)
    assert str(refused.value) == expected


def test_a_grid_leaves_the_method_out_and_goes_on(digits, original, tmp_path):
    asked = "bench run cifar10-resnet20 --methods original,amnesiac --scenarios class-1 --seeds 0"
    folders = ["--data", str(digits), "--original", str(original), "--output", str(tmp_path / "r")]
    result = CliRunner().invoke(main, [*asked.split(), *folders, "--json"])
    assert result.exit_code == 0, result.output
    [left_out] = json.loads(result.stdout)["does_not_apply"]
    assert left_out["cell"] == "class-1 amnesiac seed 0"
    assert "which a published original does not bring" in left_out["reason"]


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [
        ("DISK_SHARE", 0.0, r"would take 0.0 GiB of the .* GiB that are free in .*SULI_CACHE"),
        ("MEMORY", 1000, "would need 0.0 GiB of memory, more than 0 GiB"),
    ],
)
def test_a_record_without_room_is_refused_before_it_is_made(monkeypatch, limit, value, said):
    monkeypatch.setattr(original_training, limit, value)
    no_second_training(monkeypatch)
    records = Digits().case("instance-32", 0).records
    for ask in (records.training_log, records.last_epochs, lambda: records.shards(2, 2)):
        with pytest.raises(ValueError, match=said):
            ask()
    assert kept("*") == []
