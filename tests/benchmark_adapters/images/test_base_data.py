import pytest
from loopback_hub import printed_by
from small_images import (
    CLASSES,
    README,
    as_dataset,
    cifar_layout,
    image_folder,
    own_cache,  # noqa: F401  # an autouse fixture
    pixels_of,
)

from benchmark_adapters.hub.access import HubError
from benchmark_adapters.images.base_data import load_base, load_images
from suli_plugin.failure import Failure


def test_a_parquet_folder_gives_rows_classes_and_ids_in_order(tmp_path):
    base = load_base(cifar_layout(tmp_path / "d"), split="test")
    assert (base.config, base.split, base.splits) == ("plain_text", "test", ("train", "test"))
    assert (base.image_column, base.label_column) == ("img", "label")
    assert base.class_names == CLASSES
    assert base.labels.tolist() == [0, 1, 2] * 4
    assert base.ids[:2] == ["test-0", "test-1"] and len(set(base.ids)) == 12
    assert base.revision is None and base.pinned == str(tmp_path / "d")


def test_save_to_disk_is_read_with_and_without_splits(tmp_path):
    from datasets import DatasetDict

    whole = as_dataset(pixels_of(6))
    DatasetDict({"forget": whole.select([0, 1]), "retain": whole.select([2, 3, 4])}).save_to_disk(
        tmp_path / "parts"
    )
    whole.save_to_disk(tmp_path / "one")
    assert load_base(tmp_path / "parts", split="retain").labels.tolist() == [2, 0, 1]
    assert load_base(tmp_path / "parts", split="forget").splits == ("forget", "retain")
    assert len(load_base(tmp_path / "one", split="train")) == 6


def test_an_imagefolder_keeps_split_folders_of_any_name(tmp_path):
    folder = image_folder(tmp_path / "d", "forget", "retain", "test")
    base = load_base(folder, split="retain")
    assert base.splits == ("forget", "retain", "test")
    assert base.class_names == CLASSES and base.labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_an_imagefolder_of_classes_alone_is_one_split(tmp_path):
    base = load_base(image_folder(tmp_path / "d"), split="train")
    assert base.splits == ("train",) and base.class_names == CLASSES and len(base) == 6


def test_an_imagefolder_that_could_lose_files_is_refused(tmp_path):
    folder = image_folder(tmp_path / "d", "forget", "retain")
    (folder / "retain").rename(folder / "retain-set")
    with pytest.raises(ValueError, match="'retain-set' can't be a split's name"):
        load_base(folder, split="forget")
    (folder / "retain-set").rename(folder / "retain")
    (folder / "forget" / "cat" / "0.png").rename(folder / "0.png")
    with pytest.raises(ValueError, match=r"0\.png lies beside the split folders"):
        load_base(folder, split="forget")


def test_of_many_class_folders_the_first_alone_are_looked_into(tmp_path, monkeypatch):
    from benchmark_adapters.images import dataset_folder

    folder = image_folder(tmp_path / "d", "train", "test")
    (folder / "train" / "ant").mkdir()
    (folder / "train" / "[bee]").mkdir()
    (folder / "train" / "[bee]" / "0.png").write_bytes(b"an image of a class with a strange name")
    looked_into = []
    images = dataset_folder._images
    monkeypatch.setattr(
        dataset_folder,
        "_images",
        lambda top, paths: images(top, (looked_into.append(path) or path for path in paths)),
    )
    base = load_base(folder, split="train", class_folders=2)
    # `ant` holds no image, so it is no class.
    assert base.class_names == ("[bee]", "cat") and base.labels.tolist() == [0, 1, 1]
    assert base.splits == ("train",)
    assert not any("dog" in str(path) for path in looked_into)


def test_a_number_of_class_folders_says_nothing_about_parquet(tmp_path):
    base = load_base(cifar_layout(tmp_path / "d"), split="train", class_folders=2)
    assert base.class_names == CLASSES and len(base) == 30


def test_images_without_labels_are_loaded_where_none_are_asked_for(tmp_path):
    folder = image_folder(tmp_path / "d") / "cat"
    with pytest.raises(ValueError, match="which column is the label"):
        load_base(folder, split="train")
    images = load_images(folder, split="train")
    assert len(images) == 2 and images.image_column == "image"
    assert [len(chunk) for chunk in images.encoded()] == [2]


def test_parquet_files_that_no_split_takes_are_named(tmp_path):
    (tmp_path / "d").mkdir()
    for name in ("train", "test", "forgotten"):
        as_dataset(pixels_of(3)).to_parquet(tmp_path / "d" / f"{name}.parquet")
    with pytest.raises(ValueError, match=r"1 files belong to no split \(forgotten\.parquet\)"):
        load_base(tmp_path / "d", split="train")


def test_parquet_files_that_are_damaged_are_the_datas_fault(tmp_path):
    folder = cifar_layout(tmp_path / "d")
    (path,) = folder.rglob("train-*.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Failure) as caught:
        load_base(folder, split="train")
    assert str(caught.value).startswith(f"{folder}: ") and "\n" not in str(caught.value)


def test_two_folders_of_one_name_are_not_mistaken_for_each_other(tmp_path):
    load_base(cifar_layout(tmp_path / "a" / "d"), split="train")
    other = cifar_layout(tmp_path / "b" / "d", train=pixels_of(7))
    assert len(load_base(other, split="train")) == 7


def test_a_folder_whose_files_changed_is_read_anew(tmp_path):
    load_base(cifar_layout(tmp_path / "d"), split="train")
    assert len(load_base(cifar_layout(tmp_path / "d", train=pixels_of(7)), split="train")) == 7


@pytest.mark.parametrize("path", ["../secret.parquet", "https://elsewhere.test/x.parquet"])
def test_a_readme_cannot_name_files_outside_of_its_folder(tmp_path, path):
    folder = cifar_layout(tmp_path / "d")
    as_dataset(pixels_of(3)).to_parquet(tmp_path / "secret.parquet")
    text = README.replace("plain_text/test-*.parquet", path)
    (folder / "README.md").write_text(text)
    with pytest.raises(ValueError):
        load_base(folder, split="test")


def test_other_file_types_are_refused(tmp_path):
    (tmp_path / "train.csv").write_text("a,label\n1,0\n")
    with pytest.raises(ValueError, match="would be read as csv; expected Parquet"):
        load_base(tmp_path, split="train")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "valid"}, "there is no split 'valid'; the splits: train, test"),
        ({"split": "train", "config": "big"}, r"'big' not found. Available: \['plain_text'\]"),
        ({"split": "train", "image_column": "label"}, "no image column 'label'; its columns: img"),
        ({"split": "train", "label_column": "kind"}, r"no label column .* name \(string\)"),
        ({"split": "train", "id_column": "uid"}, "no column 'uid' for ids; its columns"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(tmp_path, arguments, message):
    folder = cifar_layout(tmp_path / "d", name="n{}".format)
    with pytest.raises(ValueError, match=message) as caught:
        load_base(folder, **arguments)
    assert "\n" not in str(caught.value)


def test_columns_are_found_by_name_or_the_caller_is_asked(tmp_path):
    two = as_dataset(pixels_of(6), depth=[1] * 6, fine=[2, 3] * 3).rename_column("label", "kind")
    two = two.cast_column("kind", two.features["kind"])
    two.save_to_disk(tmp_path / "classes")
    assert load_base(tmp_path / "classes", split="train").label_column == "kind"
    two.remove_columns("kind").save_to_disk(tmp_path / "integers")
    with pytest.raises(ValueError, match="which column is the label"):
        load_base(tmp_path / "integers", split="train")
    named = load_base(tmp_path / "integers", split="train", label_column="fine")
    assert named.labels.tolist() == [2, 3] * 3 and named.class_names == ()
    with pytest.raises(ValueError, match=r"no class '9'; its classes: 2 to 3"):
        named.label_of(9)


def test_ids_of_a_column_are_used_and_must_be_unique(tmp_path):
    unique = cifar_layout(tmp_path / "a", uid="face{}".format)
    assert load_base(unique, split="train", id_column="uid").ids[3] == "face3"
    twice = cifar_layout(tmp_path / "b", uid=lambda row: "same")
    with pytest.raises(ValueError, match="names only 1 of 30 samples uniquely"):
        load_base(twice, split="train", id_column="uid").ids  # noqa: B018  # reading it raises


def test_samples_without_a_label_are_refused(tmp_path):
    as_dataset(pixels_of(3), labels=[0, -1, 2]).save_to_disk(tmp_path / "d")
    with pytest.raises(ValueError, match="split 'train', column 'label': 1 samples have no label"):
        load_base(tmp_path / "d", split="train").labels  # noqa: B018  # reading it raises


def test_a_class_is_found_by_name_and_number(tmp_path):
    base = load_base(cifar_layout(tmp_path / "d"), split="train")
    assert base.label_of("dog") == base.label_of("#1") == base.label_of(1) == 1
    for wrong in ("bird", "Dog", "#3", "#-1"):
        with pytest.raises(ValueError, match=f"no class '{wrong}'; its classes: cat, dog, frog$"):
            base.label_of(wrong)
    with pytest.raises(ValueError, match=r"no class '1'; its classes: .*by its place .*'#1'\)"):
        base.label_of("1")


def test_a_source_that_is_neither_folder_nor_repository_is_refused():
    for source in ("nowhere", "a/b/c", "a/b@"):
        with pytest.raises(ValueError, match="neither here nor a repository"):
            load_base(source, split="train")


def test_a_branch_is_resolved_once_and_its_commit_recorded(hub, tmp_path):
    repo = hub.seed_repo("org/d", "dataset", cifar_layout(tmp_path / "d"))
    first = repo.commit_at("main").sha
    base = load_base("org/d", split="train")
    assert base.revision == first and base.pinned == f"org/d@{first}"
    assert hub.count(r"GET /api/datasets/org/d/revision/main") == 1
    hub.seed_repo("org/d", "dataset", cifar_layout(tmp_path / "new", train=pixels_of(5)))
    assert len(load_base(base.pinned, split="train")) == 30
    assert len(load_base("org/d", split="train")) == 5


def test_only_the_files_of_the_config_are_downloaded(hub, tmp_path):
    folder = cifar_layout(tmp_path / "d")
    (folder / "other").mkdir()
    (folder / "other" / "big.parquet").write_bytes(b"not needed")
    hub.seed_repo("org/d", "dataset", folder)
    load_base("org/d", split="test")
    assert hub.count(r"GET .*big\.parquet") == 0 and hub.count(r"GET .*train-0.*parquet") == 1


def test_a_repository_without_a_readme_is_read_whole(hub, tmp_path):
    hub.seed_repo("org/pictures", "dataset", image_folder(tmp_path / "d", "known", "unknown"))
    base = load_base("org/pictures", split="unknown")
    assert base.splits == ("known", "unknown") and len(base) == 6


def test_what_the_hub_refuses_is_said_in_one_line_without_the_token(hub, tmp_path, monkeypatch):
    folder = cifar_layout(tmp_path / "d")
    hub.seed_repo("org/d", "dataset", folder)
    hub.seed_repo("org/secret", "dataset", folder, private=True)
    hub.seed_repo("org/gated", "dataset", folder, gated=True)
    monkeypatch.setenv("HF_TOKEN", "hf_stranger")
    hub.add_user("eve", "hf_stranger")
    wanted = {
        "org/missing": "no such repository, or it is private and needs a token",
        "org/secret": "no such repository, or it is private and needs a token",
        "org/gated": "the repository is gated",
        "org/d@v9": "no such branch, tag or commit",
    }
    for source, message in wanted.items():
        with pytest.raises(HubError, match=message) as caught:
            load_base(source, split="train")
        assert "\n" not in str(caught.value) and "hf_stranger" not in str(caught.value)


def test_damaged_bytes_are_noticed_and_downloaded_anew(hub, tmp_path):
    hub.seed_repo("org/d", "dataset", cifar_layout(tmp_path / "d"))
    hub.fail(r"GET .*resolve/.*train-.*parquet", kind="corrupt")
    with pytest.raises(HubError, match=r"org/d@\w+: \S+ does not have the hash that the Hub names"):
        load_base("org/d", split="train")
    assert len(load_base("org/d", split="train")) == 30


def test_a_lost_connection_leaves_nothing_half_read(hub, tmp_path):
    hub.seed_repo("org/d", "dataset", cifar_layout(tmp_path / "d"))
    hub.fail(r"GET .*resolve/.*train-.*parquet", kind="drop", times=None)
    with pytest.raises(HubError) as caught:
        load_base("org/d", split="train")
    assert "\n" not in str(caught.value)
    hub.faults.clear()
    assert len(load_base("org/d", split="train")) == 30


def test_offline_a_warm_cache_is_used_and_a_cold_one_is_said(hub, tmp_path):
    hub.seed_repo("org/warm", "dataset", cifar_layout(tmp_path / "d"))
    revision = load_base("org/warm", split="train").revision
    requests = len(hub.requests)
    script = """
        from benchmark_adapters.images.base_data import load_base, load_images
        base = load_base("org/warm", split="train")
        print(base.revision, len(base), base.labels.tolist()[:3])
        print(load_base(f"org/warm@{base.revision}", split="test").revision)
        for source in ("org/cold", "org/warm@v2"):
            try:
                load_base(source, split="train")
            except ValueError as error:
                print(error)
    """
    lines = printed_by(script, HF_HUB_OFFLINE="1")
    assert lines[:2] == [f"{revision} 30 [0, 1, 2]", revision]
    assert all("HF_HUB_OFFLINE is set" in line for line in lines[2:]) and len(lines) == 4
    assert len(hub.requests) == requests


@pytest.mark.real_data
def test_real_cifar10_is_read_from_the_hub_as_it_is_there(hub, real_data):
    folder = real_data / "cifar10"
    name = "plain_text/test-00000-of-00001.parquet"
    readme = (folder / "README.md").read_text()
    # Only the test file, which is 22 MB; the layout is the same.
    readme = readme.replace("  - split: train\n    path: plain_text/train-*.parquet\n", "")
    hub.seed_repo("uoft-cs/cifar10", "dataset", {name: folder / name, "README.md": readme.encode()})
    base = load_base("uoft-cs/cifar10", split="test")
    assert (base.config, base.image_column, base.label_column) == ("plain_text", "img", "label")
    assert base.class_names[1] == "automobile"
    assert base.labels.bincount().tolist() == [1000] * 10
