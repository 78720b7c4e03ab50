"""`cifar10-fast`: an original for each seed, one forget set for all, and originals as files."""

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest
from digits_as_images import digits_folder, suli
from small_images import own_cache  # noqa: F401  # an autouse fixture
from small_problem import request, trained_convnet

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.cifar10_fast import Cifar10Fast
from benchmark_adapters.benchmarks.export import export
from benchmark_adapters.grid.retrains import HELD_OUT, retrain_labels, settings_of
from benchmark_adapters.records.provenance import state_hash
from suli_plugin import run
from suli_plugin.plugins import registry


@dataclass(frozen=True, kw_only=True)
class Quick(Cifar10Fast):
    """One epoch, without augmentation."""

    recipe: ClassVar[Retrain] = Retrain(epochs=1, plain_epochs=1, batch_size=100)


def test_each_seed_has_its_original_and_all_have_one_forget_set(digits):
    made = Quick(data=str(digits))
    cases = [made.case("instance-16", seed) for seed in (0, 1, 1)]
    assert cases[0].forget.ids == cases[1].forget.ids
    hashes = [state_hash(case.original) for case in cases]
    assert hashes[0] != hashes[1] == hashes[2]
    assert [case.original_source["seed"] for case in cases] == [1000, 1001, 1001]
    keys = {made.fingerprint("instance-16", seed) for seed in (0, 1)}
    assert len(keys) == 2


def test_an_original_that_was_written_to_files_makes_the_same_case(digits, tmp_path):
    made = Quick(data=str(digits))
    for seed in (0, 1):
        export(made, tmp_path / str(seed), seed)
    read = Quick(data=str(digits), original=f"{tmp_path}/{{seed}}/original")
    told = json.loads((tmp_path / "0" / "original" / "config.json").read_text())["training"]
    assert told["augmentation"] == Quick.augmentation_name and told["plain_epochs"] == 1
    assert read.original_recipe() == made.original_recipe()
    for seed in (0, 1):
        here, there = made.case("class-3", seed), read.case("class-3", seed)
        assert state_hash(here.original) == state_hash(there.original)
        assert here.reference.ids == there.reference.ids and here.test.ids == there.test.ids
        source = there.original_source
        assert (source["kind"], source["seed"]) == ("published", 1000 + seed)
    # What its training left can be made again, since the training is known: it has one epoch.
    with pytest.raises(ValueError, match="its last two are needed"):
        there.records.last_epochs()


def test_beside_other_images_its_reference_is_no_part_of_them(digits, tmp_path):
    export(Quick(data=str(digits)), tmp_path / "made", 0)
    other = digits_folder(tmp_path / "other", train=390)
    made = Quick(data=str(other), original=str(tmp_path / "made" / "original"))
    assert made.original_recipe() is None
    assert made.case("class-3", 0).reference.ids[0].startswith("test-")


def test_under_another_augmentation_no_retrain_here_has_its_recipe(digits, tmp_path):
    @dataclass(frozen=True, kw_only=True)
    class Other(Quick):
        augmentation_name: ClassVar[str] = "none"

    export(Quick(data=str(digits)), tmp_path / "made", 0)
    place = str(tmp_path / "made" / "original")
    assert Quick(data=str(digits), original=place).original_recipe()
    assert Other(data=str(digits), original=place).original_recipe() is None
    # Nor is an original that was trained here taken for one of another augmentation.
    assert Quick(data=str(digits)).kept_original(0) != Other(data=str(digits)).kept_original(0)


def test_a_training_that_is_told_in_part_is_refused(digits, tmp_path):
    export(Quick(data=str(digits)), tmp_path / "made", 0)
    path = tmp_path / "made" / "original" / "config.json"
    told = json.loads(path.read_text())
    del told["training"]["seed"]
    path.write_text(json.dumps(told))
    made = Quick(data=str(digits), original=str(path.parent))
    with pytest.raises(ValueError, match="not with which whole recipe and seed"):
        made.case("class-3", 0)


def test_retrains_are_the_same_under_all_seeds_and_differ_from_one_another():
    labels, settings = [*retrain_labels(5), HELD_OUT], Cifar10Fast.settings
    made = [registry().unlearner(label, "class-wise", settings_of(settings, label))
            for label in labels]  # fmt: skip
    repeats = [one.repeat for one in made]
    assert len(set(repeats)) == 6 and 1 not in repeats
    assert all(one.recipe() == Cifar10Fast.recipe.recipe() for one in made)


def test_the_command_takes_the_images_place(tmp_path):
    lost = ("--data", tmp_path / "lost")
    done = suli("bench", "export", "cifar10-fast", *lost, "--output", tmp_path / "x", code=1)
    assert "lost" in done.output and not (tmp_path / "x").exists()
    assert "--data" in suli("bench", "export", "digits", *lost, code=2).output


FITTED = ("finetune", "l1_sparse", "cf_k", "eu_k", "salun", "contrastive_label", "ugradsl_plus",
          "neg_grad_plus")  # fmt: skip


@pytest.mark.parametrize("label", FITTED)
def test_retain_based_methods_make_as_many_epochs_as_fit_into_the_budget(label):
    """By passes on digits in batches of a tenth or so, scaled to CIFAR-10's retained images."""
    own = {**Cifar10Fast.settings[label], "batch_size": 16}
    # As its defaults: two forgotten samples for each retained one.
    own |= {"forget_batch_size": 32} if label == "neg_grad_plus" else {}
    cases = {"class-wise": (request("class-wise"), 44_550),
             "instance-wise": (request("instance-wise", count=32), 48_988)}  # fmt: skip

    # As CIFAR-10's are, so that a teacher has to see each view.
    for asked, _ in cases.values():
        asked.retain.augment = lambda images, _: images

    def most_passes(epochs):
        return max(passes(scope, *case, epochs) for scope, case in cases.items())

    def passes(scope, asked, retained, epochs):
        method = registry().unlearner(label, scope, {**own, "epochs": epochs})
        counted = run(method, trained_convnet(), asked).passes
        count = sum(sum(kinds.values()) for kinds in counted.values())
        return count * retained / len(asked.retain)

    assert most_passes(own["epochs"]) <= Cifar10Fast.tuning_passes < most_passes(own["epochs"] + 1)
    assert own["epochs"] < registry().unlearner(label, "class-wise").epochs


@pytest.mark.parametrize("label", ["bad_teacher", "unsir"])
def test_retained_images_that_augmentation_cuts_share_batches_with_whole_ones(digits, label):
    case = Quick(data=str(digits)).case("class-3", 0)
    shorter = (
        {"epochs": 1}
        if label == "bad_teacher"
        else {"iterations": 1, "copies": 1, "noise_images": 32}
    )
    method = registry().unlearner(label, "class-wise", shorter)
    assert run(method, case.original, case.request).steps > 0
