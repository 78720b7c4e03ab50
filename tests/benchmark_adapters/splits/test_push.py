import json

import pytest
from small_images import (
    cifar_layout,
    own_cache,  # noqa: F401  # an autouse fixture
    pixels_of,
)

from benchmark_adapters.hub import access as hub_access
from benchmark_adapters.hub.access import HubError
from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.splits.push import push_split
from benchmark_adapters.splits.recipes import ClassWise, InstanceWise
from benchmark_adapters.splits.split import SplitMismatch, make_split
from benchmark_adapters.splits.stored import read_split, split_names
from benchmark_adapters.splits.verified import load_split


@pytest.fixture
def pictures(hub, tmp_path):
    """A base dataset on the hub, `org/pictures`."""
    hub.seed_repo("org/pictures", "dataset", cifar_layout(tmp_path / "pictures"))
    return "org/pictures"


def made(source, name="dogs", recipe=None):
    train = load_base(source, split="train")
    test = load_base(train.pinned, split="test")
    return make_split(name, recipe or ClassWise(classes=(1,)), train, test)


def test_a_pushed_split_is_loaded_at_its_commit_with_its_base_at_its_own(hub, pictures, tmp_path):
    split = made(pictures)
    pushed = push_split(split, "org/splits")
    assert pushed.revision == hub.repo("dataset", "org/splits").commit_at("main").sha
    # Both repositories go on; what was named stays what it was.
    hub.seed_repo("org/pictures", "dataset", cifar_layout(tmp_path / "new", train=pixels_of(5)))
    push_split(made(pictures, recipe=InstanceWise(n=2)), "org/splits", force=True)
    back = load_split(f"org/splits@{pushed.revision}", "dogs")
    assert back.describe() == split.describe() and back.revision == pushed.revision
    assert back.bases["train"].revision == split.bases["train"].revision
    assert load_split("org/splits", "dogs").recipe == InstanceWise(n=2)


def test_many_splits_are_configs_of_one_repository_without_images(hub, pictures):
    from datasets import get_dataset_config_names, load_dataset

    for name, recipe in (("dogs", ClassWise(classes=(1,))), ("two", InstanceWise(n=2))):
        push_split(made(pictures, name, recipe), "org/splits")
    assert split_names("org/splits") == ("dogs", "two")
    assert get_dataset_config_names("org/splits") == ["dogs", "two"]
    index = load_dataset("org/splits", "two")
    assert index["train"]["part"][:].count("forget") == 2
    files = hub.repo("dataset", "org/splits").files()
    assert sum(map(len, files.values())) < 20_000


def test_a_push_is_one_commit_and_the_same_split_is_pushed_once(hub, pictures):
    push_split(made(pictures), "org/splits")
    commits = len(hub.repo("dataset", "org/splits").history())
    again = push_split(made(pictures), "org/splits")
    assert not again.changed and len(hub.repo("dataset", "org/splits").history()) == commits == 2


def test_another_split_of_the_name_is_replaced_only_when_asked(hub, pictures):
    push_split(made(pictures), "org/splits")
    other = made(pictures, recipe=ClassWise(classes=(2,)))
    with pytest.raises(ValueError, match="has another split 'dogs'"):
        push_split(other, "org/splits")
    push_split(other, "org/splits", force=True)
    assert load_split("org/splits").forget_classes == (2,)


def test_a_test_index_that_is_no_longer_true_is_removed(hub, pictures):
    push_split(made(pictures), "org/splits")
    train = load_base(pictures, split="train")
    push_split(make_split("dogs", ClassWise(classes=(1,)), train), "org/splits", force=True)
    assert "dogs/test.parquet" not in hub.repo("dataset", "org/splits").files()
    assert "test_retain" not in load_split("org/splits").rows


def test_a_readme_that_is_there_keeps_its_text(hub, pictures):
    hub.seed_repo("org/splits", "dataset", {"README.md": b"---\nlicense: mit\n---\n\n# Ours\n"})
    push_split(made(pictures), "org/splits")
    readme = hub.repo("dataset", "org/splits").files()["README.md"].decode()
    assert "license: mit" in readme and "# Ours" in readme and "config_name: dogs" in readme


def test_a_commit_of_someone_else_at_the_same_time_is_not_lost(hub, pictures):
    push_split(made(pictures), "org/splits")
    refusal = hub.fail(r"POST /api/datasets/org/splits/commit", status=412)
    push_split(made(pictures, "two", InstanceWise(n=2)), "org/splits")
    assert refusal.struck == 1 and split_names("org/splits") == ("dogs", "two")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("where", ["GET /api/", "POST .*/preupload/", "POST .*/commit/"])
def test_a_hub_out_of_order_for_a_while_is_pushed_to_again(
    hub, pictures, where, status, monkeypatch
):
    split = made(pictures)
    monkeypatch.setattr(hub_access, "WAITS", (0.0, 0.0, 0.0))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    fault = hub.fail(where, times=2, status=status)
    assert push_split(split, "org/splits").changed and fault.struck == 2
    assert load_split("org/splits").sha256 == split.sha256


def test_a_pull_request_whose_answer_is_lost_is_not_opened_twice(hub, pictures, monkeypatch):
    push_split(made(pictures), "org/splits")
    monkeypatch.setattr(hub_access, "WAITS", (0.0, 0.0, 0.0))
    fault = hub.fail("POST .*/commit/", times=None, status=504)
    with pytest.raises(HubError, match=r"org/splits: .*HTTP 504"):
        push_split(made(pictures, "two", InstanceWise(n=2)), "org/splits", create_pr=True)
    assert fault.struck == 1


def test_a_pull_request_is_opened_by_one_who_may_not_write(hub, pictures, monkeypatch):
    push_split(made(pictures), "org/splits")
    hub.add_user("eve", "hf_eve")
    monkeypatch.setenv("HF_TOKEN", "hf_eve")
    split = made(pictures, "two", InstanceWise(n=2))
    with pytest.raises(HubError) as caught:
        push_split(split, "org/splits")
    assert "hf_eve" not in str(caught.value) and "\n" not in str(caught.value)
    pushed = push_split(split, "org/splits", create_pr=True)
    assert pushed.pull_request.endswith("/discussions/1")
    assert split_names("org/splits") == ("dogs",)
    assert load_split("org/splits@refs/pr/1", "two").sha256 == split.sha256


def test_a_lost_upload_leaves_the_repository_as_it_was(hub, pictures):
    push_split(made(pictures), "org/splits")
    before = hub.repo("dataset", "org/splits").files()
    hub.fail(r"POST .*/commit/", kind="drop", times=None)
    with pytest.raises(HubError) as caught:
        push_split(made(pictures, "two", InstanceWise(n=2)), "org/splits")
    assert "\n" not in str(caught.value) and "hf_ada" not in str(caught.value)
    assert hub.repo("dataset", "org/splits").files() == before


def test_a_private_repository_stays_private(hub, pictures, monkeypatch):
    push_split(made(pictures), "org/splits", private=True)
    assert hub.repo("dataset", "org/splits").private
    monkeypatch.setenv("HF_TOKEN", "hf_eve")
    hub.add_user("eve", "hf_eve")
    with pytest.raises(HubError, match="no such repository, or it is private"):
        read_split("org/splits")


def test_the_path_of_a_local_base_is_not_published(hub, tmp_path):
    folder = cifar_layout(tmp_path / "photos")
    split = made(folder)
    push_split(split, "org/splits")
    files = hub.repo("dataset", "org/splits").files()
    assert json.loads(files["dogs/split.json"])["base"]["folder"] == "photos"
    assert not any(str(tmp_path).encode() in content for content in files.values())
    with pytest.raises(ValueError, match="is over a folder 'photos', which is not here"):
        load_split("org/splits")
    assert load_split("org/splits", base=folder).sha256 == split.sha256


def test_a_base_that_is_not_the_same_is_refused_by_part(hub, pictures, tmp_path):
    push_split(made(pictures), "org/splits")
    other = pixels_of(30)
    other[0] += 1
    with pytest.raises(SplitMismatch) as caught:
        load_split("org/splits", base=cifar_layout(tmp_path / "other", train=other))
    assert caught.value.parts == ("retain",)


@pytest.mark.real_data
def test_a_split_of_real_cifar10_is_pushed_and_loaded(hub, real_data):
    folder = real_data / "cifar10"
    name = "plain_text/test-00000-of-00001.parquet"
    readme = (folder / "README.md").read_text()
    readme = readme.replace("  - split: train\n    path: plain_text/train-*.parquet\n", "")
    hub.seed_repo("uoft-cs/cifar10", "dataset", {name: folder / name, "README.md": readme.encode()})
    base = load_base("uoft-cs/cifar10", split="test")
    split = make_split("class-1", ClassWise(classes=(base.label_of("automobile"),)), base)
    pushed = push_split(split, "org/splits")
    back = load_split(f"org/splits@{pushed.revision}")
    assert back.sha256 == split.sha256
    assert {part: len(rows) for part, rows in back.rows.items()} == {"forget": 1000, "retain": 9000}
    # The same data in a folder are as good.
    local = load_base(folder, split="test")
    assert make_split("class-1", back.recipe, local).sha256 == split.sha256
