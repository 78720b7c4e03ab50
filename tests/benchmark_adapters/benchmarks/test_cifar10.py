"""The CIFAR-10 benchmarks, on digits in the layout of `uoft-cs/cifar10`."""

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from digits_as_images import NAMES, digits_folder, suli
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks import real_images, trained_originals
from benchmark_adapters.benchmarks.augmentation import crop_and_flip
from benchmark_adapters.benchmarks.cifar10 import Cifar10ResNet18, Cifar10ResNet20
from benchmark_adapters.benchmarks.cifar10_allcnn import Cifar10AllCNN
from benchmark_adapters.originals.checkpoints import CheckpointConfig, save_checkpoint
from benchmark_adapters.originals.load import load_original
from benchmark_adapters.records.provenance import state_hash


@dataclass(frozen=True, kw_only=True)
class Quick(Cifar10ResNet20):
    """One epoch instead of thirty."""

    recipe: ClassVar[Retrain] = Retrain(epochs=1, batch_size=100)


@pytest.fixture
def trainings(monkeypatch):
    """The training sets of the originals that were really trained."""
    seen = []
    run = trained_originals.run

    def counted(recipe, model, request, **options):
        seen.append(request.retain)
        return run(recipe, model, request, **options)

    monkeypatch.setattr(trained_originals, "run", counted)
    return seen


def ids(*sets):
    return {name for images in sets for name in images.ids}


def test_without_an_original_the_reference_is_held_out_before_one_is_trained(digits, trainings):
    case = Quick(data=str(digits), reference_fraction=0.05).case("class-1", 0)
    (trained_on,) = trainings
    assert len(case.reference) == 20 and case.reference.ids[0].startswith("train-")
    assert ids(case.forget, case.retain) == ids(trained_on)
    assert len(ids(trained_on)) == 380 and not ids(trained_on) & ids(case.reference)
    # Stratified: each digit gives about as many of its images.
    assert set(case.reference.labels.bincount(minlength=10).tolist()) == {2}
    assert ids(case.test) == {f"test-{row}" for row in range(300)}
    assert case.original_source["kind"] == "trained"
    assert case.original_source["recipe"]["epochs"] == 1
    assert case.original_source["reference"].startswith("from the training set, held out before")


def test_a_published_original_has_its_reference_from_the_test_set(digits, original, trainings):
    made = Quick(data=str(digits), original=str(original))
    case = made.case("class-1", 0)
    assert not trainings
    assert len(ids(case.forget, case.retain)) == 400
    assert len(case.reference) == 4 and case.reference.ids[0].startswith("test-")
    assert not ids(case.reference) & ids(case.test) and len(case.test) == 296
    source = case.original_source
    assert (source["kind"], source["source"]) == ("published", str(original))
    assert len(source["sha256"]) == 64 and source["reference"].startswith("from the test set")
    # Its own network and normalisation, not the benchmark's.
    assert state_hash(case.fresh_model()) != state_hash(case.original)
    assert type(case.fresh_model()) is type(case.original)
    assert case.test.mean.flatten().tolist() == pytest.approx([0.3] * 3)


def test_a_trained_original_is_kept_and_not_trained_again(digits, trainings, own_cache):  # noqa: F811
    first = Quick(data=str(digits)).case("class-1", 0)
    other = Quick(data=str(digits)).case("instance-8", 3)
    real_images.forget_what_was_read()
    again = Quick(data=str(digits), retain_scored=50).case("class-2", 1)
    assert len(trainings) == 1 and len(list(own_cache.glob("trained-original-*.safetensors"))) == 1
    assert state_hash(first.original) == state_hash(other.original) == state_hash(again.original)
    real_images.forget_what_was_read()
    changed = Quick(data=str(digits), reference_fraction=0.1).case("class-1", 0)
    assert len(trainings) == 2 and state_hash(changed.original) != state_hash(first.original)


def test_only_the_original_s_training_and_retraining_augment(digits, original):
    case = Quick(data=str(digits), original=str(original)).case("class-1", 0)
    assert case.retain.augment is crop_and_flip
    assert [s.augment for s in (case.forget, case.reference, case.test)] == [None] * 3


def test_a_class_is_forgotten_whole_and_instances_are_a_draw_of_the_seed(digits, original):
    made = Quick(data=str(digits), original=str(original))
    whole = made.case("class-3", 0)
    assert whole.forget_classes == (3,) and set(whole.forget.labels.tolist()) == {3}
    assert 3 not in whole.retain.labels.tolist()
    drawn = [ids(made.case("instance-16", seed).forget) for seed in (0, 0, 1)]
    assert len(drawn[0]) == 16 and drawn[0] == drawn[1] != drawn[2]


def test_requests_that_follow_one_another_are_cut_by_the_same_code(digits, original):
    made = Quick(data=str(digits), original=str(original))
    asked = made.case("sequence-2-classes-3-1", 0).turns
    assert [set(turn.forget.labels.tolist()) for turn in asked] == [{3}, {1}]
    assert 1 in asked[0].retain.labels and not {1, 3} & {*asked[1].retain.labels.tolist()}
    assert asked[0].forget.augment is None and 3 not in asked[1].reference.labels
    drawn = made.case("sequence-4-instance-16", 1)
    assert ids(drawn.forget) == ids(made.case("instance-16", 1).forget)
    assert set().union(*(ids(turn.forget) for turn in drawn.turns)) == ids(drawn.forget)


def test_of_the_retain_set_a_stratified_draw_is_scored_if_asked_for(digits, original):
    def case(seed=0, scored=60):
        made = Quick(data=str(digits), original=str(original), retain_scored=scored)
        return made.case("class-3", seed)

    sample = case().scored_retain
    assert len(sample) == 60 and ids(sample) < ids(case().retain)
    assert sample.labels.bincount(minlength=10).tolist()[3] == 0
    assert min(sample.labels.unique(return_counts=True)[1].tolist()) >= 6
    assert ids(case().scored_retain) == ids(sample) != ids(case(seed=1).scored_retain)
    assert len(case().retain) == len(case(scored=None).retain)
    assert case(scored=None).retain_sample is None and case(scored=10_000).retain_sample is None


def test_a_trial_is_on_a_stratified_draw_and_its_records_say_so(digits, tmp_path):
    made = Quick(data=str(digits), limit_images=100)
    case = made.case("class-3", 0)
    assert len(ids(case.forget, case.retain, case.reference)) == 100 and len(case.test) == 75
    assert set(case.test.labels.tolist()) == set(range(10))
    assert made.options()["limit_images"] == 100 and Quick(**made.options()) == made
    assert "a trial on 100 of 400 training images" in made.describe()
    # More than there are is no limit; without one nothing is told of it, as before there was any.
    assert Quick(data=str(digits), limit_images=9_999).fingerprint("class-3", 0) == Quick(
        data=str(digits)
    ).fingerprint("class-3", 0)
    assert "limit_images" not in Quick(data=str(digits)).options()
    done = suli("bench", "run", "cifar10-resnet20", "--data", digits, "--limit-images", 100,
                "--methods", "logit_mask", "--dry-run", "--output", tmp_path)  # fmt: skip
    assert "a trial on 100 of 400 training images" in done.stderr


def test_fingerprints_differ_when_anything_differs(digits, original, tmp_path):
    @dataclass(frozen=True, kw_only=True)
    class Longer(Cifar10ResNet20):
        recipe: ClassVar[Retrain] = Retrain(epochs=2, batch_size=100)

    @dataclass(frozen=True, kw_only=True)
    class Deeper(Quick):
        architecture: ClassVar[str] = "cifar_resnet32"

    other_data = digits_folder(tmp_path / "fewer", train=399)
    config = CheckpointConfig(
        architecture="cifar_resnet20", num_classes=10, mean=(0.3,) * 3, std=(0.37,) * 3
    )
    for name in "ab":
        save_checkpoint(tmp_path / name, config.build(), config)
    data = {"data": str(digits)}
    made = [
        Quick(**data).fingerprint("class-1", 0),
        Quick(**data).fingerprint("class-2", 0),
        Quick(**data).fingerprint("class-1", 1),
        Quick(**data, retain_scored=50).fingerprint("class-1", 0),
        Quick(**data, reference_fraction=0.02).fingerprint("class-1", 0),
        Quick(**data, limit_images=200).fingerprint("class-1", 0),
        Quick(**data, original=str(original)).fingerprint("class-1", 0),
        Quick(**data, original=str(tmp_path / "a")).fingerprint("class-1", 0),
        Quick(**data, original=str(tmp_path / "b")).fingerprint("class-1", 0),
        Quick(data=str(other_data)).fingerprint("class-1", 0),
        Longer(**data).fingerprint("class-1", 0),
        Deeper(**data).fingerprint("class-1", 0),
    ]
    assert len(set(made)) == len(made)
    real_images.forget_what_was_read()
    assert Quick(**data).fingerprint("class-1", 0) == made[0]


def test_a_fingerprint_is_known_without_training(digits, trainings):
    Quick(data=str(digits)).fingerprint("class-1", 0)
    assert not trainings


def test_the_options_of_a_record_make_the_same_benchmark_again(digits, original):
    made = Quick(data=str(digits), original=str(original), retain_scored=7)
    assert Quick(**json.loads(json.dumps(made.options()))) == made
    plain = Quick(data=str(digits))
    assert Quick(**json.loads(json.dumps(plain.options()))) == plain != made


def test_what_was_read_is_described_with_the_classes_names(digits, original):
    first, *classes = Quick(data=str(digits), original=str(original)).describe()
    assert first == (
        f"cifar10-resnet20: 400 training, 4 reference and 296 test images of 10 classes in {digits}"
    )
    text = " ".join(classes)
    assert all(f"class-{label} = {name} (" in text for label, name in enumerate(NAMES))
    assert all(len(line) <= 100 for line in classes)


@pytest.mark.parametrize("data", ["", "gone/", "/gone/away"])
def test_data_that_is_not_there_is_refused(data):
    with pytest.raises(ValueError, match=r"needs its images: pass --data|neither here nor a repo"):
        Quick(data=data).fingerprint("class-1", 0)


def test_options_out_of_range_are_refused():
    for options in ({"retain_scored": 0}, {"reference_fraction": 0.0}, {"reference_fraction": 0.5}):
        with pytest.raises(ValueError, match="must be"):
            Quick(**options)
    with pytest.raises(TypeError, match="data must be str"):
        Quick(data=3)


def test_an_original_with_other_classes_is_refused(digits, tmp_path):
    def saved(name, outputs, classes=None):
        config = CheckpointConfig(
            architecture="cifar_resnet20", num_classes=outputs, mean=(0.3,) * 3, std=(0.37,) * 3,
            classes=classes,
        )  # fmt: skip
        save_checkpoint(tmp_path / name, config.build(), config)
        return str(tmp_path / name)

    five = Quick(data=str(digits), original=saved("five", 5))
    with pytest.raises(ValueError, match=r"five has 5 outputs, but .* has 10 classes \(zero, one"):
        five.fingerprint("class-1", 0)
    swapped = Quick(data=str(digits), original=saved("swapped", 10, ("one", "zero", *NAMES[2:])))
    with pytest.raises(ValueError, match=r"output 0 of .*swapped is 'one', which is class 1"):
        swapped.fingerprint("class-1", 0)
    spelled = saved("spelled", 10, ("naught", *NAMES[1:]))
    assert Quick(data=str(digits), original=spelled).fingerprint("class-1", 0)


def test_the_networks_take_32x32_images_of_ten_classes():
    images = torch.zeros(2, 3, 32, 32)
    for made in (Cifar10ResNet18(), Cifar10ResNet20(), Cifar10AllCNN()):
        assert made.fresh_model(10).eval()(images).shape == (2, 10)
        assert type(made.fresh_model(10)) is type(build_architecture(made.architecture, 10))


def test_an_original_of_another_width_is_exported_with_it(digits, tmp_path):
    """All that `load_original` builds it from is in its config."""
    done = suli("bench", "export", "cifar10-allcnn", "--data", digits,
                "--output", tmp_path / "out")  # fmt: skip
    assert "original of seed 0" in done.stdout
    loaded = load_original(tmp_path / "out/original")
    assert loaded.config.options == {"width": 1 / 3, "dropout": False}
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in loaded.model.modules())
    assert sum(weight.numel() for weight in loaded.model.parameters()) == 153_482


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digits", "--data", "x"], "digits takes no --data: it brings what it needs"),
        (["digits", "--original", "x"], "digits takes no --original"),
        (["cifar10-resnet20", "--identities", 3], "takes no --identities: it takes --data"),
        (["cifar10-resnet20", "--data", "/gone"], "'/gone' is neither here nor a repository"),
        (["cifar10-resnet20", "--retain-scored", 0], "retain_scored must be at least 1"),
    ],
)
@pytest.mark.parametrize("command", ["run", "tune"])
def test_wrong_options_are_wrong_usage(tmp_path, arguments, message, command):
    done = suli("bench", command, *arguments, "--output", tmp_path / "runs", code=2)
    assert message in done.stderr and "Traceback" not in done.stderr
