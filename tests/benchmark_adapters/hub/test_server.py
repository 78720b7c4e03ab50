"""The test hub, tried with the real clients."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import datasets
import pandas
import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, load_dataset
from hub_server import HubServer
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    PyTorchModelHubMixin,
    constants,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from PIL import Image as Picture

REPO = "org/thing"
WEIGHTS = bytes(range(256)) * 8_000  # two megabytes


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    return HfApi()


@pytest.fixture
def seeded(hub: HubServer) -> HubServer:
    hub.seed_repo(REPO, "model", {"README.md": b"hello", "a/b/deep.txt": b"deep", "w.bin": WEIGHTS})
    return hub


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clients retry without their pauses of a second and more."""
    real_sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: real_sleep(min(seconds, 0.01)))


def add(path: str, content: bytes) -> CommitOperationAdd:
    return CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)


def pull_request(api: HfApi, path: str, content: bytes) -> int:
    info = api.create_commit(REPO, [add(path, content)], commit_message="add", create_pr=True)
    assert info.pr_num is not None
    return info.pr_num


# --- repositories and users -----------------------------------------------------------------


def test_whoami_names_the_user_and_their_organizations(hub: HubServer, api: HfApi) -> None:
    hub.add_user("bob", "hf_bob", can_write=["org"])
    answer = api.whoami(token="hf_bob")
    assert answer["name"] == "bob"
    assert [org["name"] for org in answer["orgs"]] == ["org"]


def test_a_wrong_token_is_refused(hub: HubServer, api: HfApi) -> None:
    with pytest.raises(HfHubHTTPError) as refusal:
        api.whoami(token="hf_wrong")
    assert refusal.value.response.status_code == 401


def test_create_repo_again_is_an_error_unless_allowed(api: HfApi) -> None:
    url = api.create_repo(REPO, repo_type="dataset")
    assert url.repo_id == REPO and url.repo_type == "dataset"
    assert api.create_repo(REPO, repo_type="dataset", exist_ok=True) == url
    with pytest.raises(HfHubHTTPError) as refusal:
        api.create_repo(REPO, repo_type="dataset")
    assert refusal.value.response.status_code == 409


def test_create_repo_in_a_foreign_namespace_is_forbidden(hub: HubServer, api: HfApi) -> None:
    hub.add_user("bob", "hf_bob")
    with pytest.raises(HfHubHTTPError) as refusal:
        api.create_repo(REPO, token="hf_bob")
    assert refusal.value.response.status_code == 403
    assert api.create_repo("bob/own", token="hf_bob").repo_id == "bob/own"


def test_delete_repo(seeded: HubServer, api: HfApi) -> None:
    api.delete_repo(REPO)
    assert not api.repo_exists(REPO)
    api.delete_repo(REPO, missing_ok=True)


def test_private_repo_hides_from_strangers(hub: HubServer, api: HfApi) -> None:
    hub.seed_repo(REPO, "dataset", {"f.txt": b"f"}, private=True, readers=["bob"])
    hub.add_user("bob", "hf_bob")
    hub.add_user("eve", "hf_eve")
    for token, status in ((False, 401), ("hf_eve", 404)):
        with pytest.raises(RepositoryNotFoundError) as refusal:
            api.repo_info(REPO, repo_type="dataset", token=token)
        assert refusal.value.response.status_code == status
        with pytest.raises(RepositoryNotFoundError):
            hf_hub_download(REPO, "f.txt", repo_type="dataset", token=token)
    path = hf_hub_download(REPO, "f.txt", repo_type="dataset", token="hf_bob")
    assert Path(path).read_bytes() == b"f"
    with pytest.raises(datasets.exceptions.DatasetNotFoundError):
        load_dataset(REPO, token="hf_eve")


def test_visibility_can_be_changed(seeded: HubServer, api: HfApi) -> None:
    api.update_repo_settings(REPO, private=True)
    assert api.repo_info(REPO).private
    assert not api.repo_exists(REPO, token=False)
    api.update_repo_settings(REPO, private=False, gated="auto")
    assert seeded.repo("model", REPO).gated == "auto"


def test_gated_repo_shows_itself_but_not_its_files(hub: HubServer, api: HfApi) -> None:
    hub.seed_repo(REPO, "dataset", {"f.csv": b"a\n1\n"}, gated=True, readers=["bob"])
    hub.add_user("bob", "hf_bob")
    hub.add_user("eve", "hf_eve")
    assert api.repo_info(REPO, repo_type="dataset", token="hf_eve").gated == "auto"
    with pytest.raises(GatedRepoError) as refusal:
        hf_hub_download(REPO, "f.csv", repo_type="dataset", token="hf_eve")
    assert refusal.value.response.status_code == 403
    with pytest.raises(GatedRepoError):
        api.auth_check(REPO, repo_type="dataset", token=False)
    with pytest.raises(datasets.exceptions.DatasetNotFoundError, match="gated"):
        load_dataset(REPO, token="hf_eve")
    assert load_dataset(REPO, token="hf_bob", split="train")["a"][:] == [1]


# --- uploads and commits --------------------------------------------------------------------


def test_upload_folder_with_a_large_file_and_again(
    hub: HubServer, api: HfApi, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\nüber")
    (tmp_path / "sub/model.safetensors").write_bytes(WEIGHTS)
    api.create_repo(REPO)
    first = api.upload_folder(repo_id=REPO, folder_path=tmp_path)
    assert hub.count("PUT /lfs/") == 1
    again = api.upload_folder(repo_id=REPO, folder_path=tmp_path)
    assert again.oid == first.oid
    assert hub.count("POST .*/commit/") == 1
    assert hub.repo("model", REPO).files()["sub/model.safetensors"] == WEIGHTS


def test_the_same_large_file_is_not_sent_twice(hub: HubServer, api: HfApi) -> None:
    api.create_repo(REPO)
    for path in ("one.bin", "two.bin"):
        api.upload_file(path_or_fileobj=WEIGHTS, path_in_repo=path, repo_id=REPO)
    assert hub.count("PUT /lfs/") == 1
    assert hub.repo("model", REPO).files()["two.bin"] == WEIGHTS


def test_upload_from_a_stream(hub: HubServer, api: HfApi) -> None:
    api.create_repo(REPO)
    api.upload_file(path_or_fileobj=io.BytesIO(WEIGHTS), path_in_repo="w.bin", repo_id=REPO)
    assert hub.repo("model", REPO).files()["w.bin"] == WEIGHTS


def test_commit_deletes_and_copies(seeded: HubServer, api: HfApi) -> None:
    operations = [
        CommitOperationDelete("a/", is_folder=True),
        CommitOperationDelete("README.md"),
        CommitOperationCopy("w.bin", "copy.bin"),
        add("empty.txt", b""),
    ]
    api.create_commit(REPO, operations, commit_message="tidy up")
    assert seeded.repo("model", REPO).files() == {
        "w.bin": WEIGHTS,
        "copy.bin": WEIGHTS,
        "empty.txt": b"",
    }
    with pytest.raises(EntryNotFoundError):
        api.delete_file("absent.txt", REPO)


def test_commit_on_a_stale_parent_is_refused(seeded: HubServer, api: HfApi) -> None:
    old = api.repo_info(REPO).sha
    api.create_commit(REPO, [add("x", b"1")], commit_message="one", parent_commit=old)
    with pytest.raises(HfHubHTTPError) as refusal:
        api.create_commit(REPO, [add("x", b"2")], commit_message="two", parent_commit=old)
    assert refusal.value.response.status_code == 412


def test_commit_without_the_right_is_refused(seeded: HubServer, api: HfApi) -> None:
    seeded.add_user("eve", "hf_eve")
    with pytest.raises(HfHubHTTPError, match="create_pr=1") as refusal:
        api.create_commit(REPO, [add("x", b"1")], commit_message="no", token="hf_eve")
    assert refusal.value.response.status_code == 403
    with pytest.raises(HfHubHTTPError) as refusal:
        api.create_commit(REPO, [add("x", b"1")], commit_message="no", token=False)
    assert refusal.value.response.status_code == 401


def test_commits_are_immutable_snapshots(seeded: HubServer, api: HfApi) -> None:
    before = api.repo_info(REPO).sha
    api.create_commit(REPO, [add("README.md", b"new")], commit_message="change")
    assert [commit.title for commit in api.list_repo_commits(REPO)] == ["change", "initial commit"]
    pinned = hf_hub_download(REPO, "README.md", revision=before)
    assert Path(pinned).read_bytes() == b"hello"
    assert Path(hf_hub_download(REPO, "README.md")).read_bytes() == b"new"


def test_tags_branches_and_refs(seeded: HubServer, api: HfApi) -> None:
    sha = api.repo_info(REPO).sha
    api.create_tag(REPO, tag="v1")
    api.create_branch(REPO, branch="next/big")
    api.create_commit(REPO, [add("x", b"1")], commit_message="on it", revision="next/big")
    refs = api.list_repo_refs(REPO)
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v1", sha)]
    assert [branch.name for branch in refs.branches] == ["main", "next/big"]
    assert api.file_exists(REPO, "x", revision="next/big")
    assert not api.file_exists(REPO, "x", revision="v1")
    with pytest.raises(HfHubHTTPError):
        api.create_tag(REPO, tag="v1")
    api.create_tag(REPO, tag="v1", exist_ok=True)
    api.delete_tag(REPO, tag="v1")
    api.delete_branch(REPO, branch="next/big")
    assert [ref.ref for ref in api.list_repo_refs(REPO).branches] == ["refs/heads/main"]
    with pytest.raises(HfHubHTTPError, match="protected"):
        api.delete_branch(REPO, branch="main")


# --- reading --------------------------------------------------------------------------------


def test_snapshot_download_gives_the_same_bytes(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/w.bin").write_bytes(WEIGHTS)
    (tmp_path / "näme with space.txt").write_text("text")
    hub.seed_repo(REPO, "dataset", tmp_path)
    folder = Path(snapshot_download(REPO, repo_type="dataset"))
    for path in ("sub/w.bin", "näme with space.txt"):
        assert (folder / path).read_bytes() == (tmp_path / path).read_bytes()


def test_snapshot_of_a_pinned_commit_needs_no_network_again(seeded: HubServer) -> None:
    sha = seeded.repo("model", REPO).commit_at().sha
    folder = snapshot_download(REPO, revision=sha)
    seen = len(seeded.requests)
    assert snapshot_download(REPO, revision=sha) == folder
    assert snapshot_download(REPO, revision=sha, local_files_only=True) == folder
    assert len(seeded.requests) == seen


def test_seeding_again_is_an_update_upstream(seeded: HubServer) -> None:
    old = snapshot_download(REPO)
    seeded.seed_repo(REPO, "model", {"README.md": b"hello again"})
    new = snapshot_download(REPO)
    assert old != new
    assert Path(new, "README.md").read_bytes() == b"hello again"
    assert Path(new, "w.bin").read_bytes() == WEIGHTS


def test_checksums_agree_with_the_client(seeded: HubServer, api: HfApi) -> None:
    snapshot_download(REPO)
    verification = api.verify_repo_checksums(REPO)
    assert verification.checked_count == 3 and not verification.mismatches


def test_missing_things_have_their_own_errors(seeded: HubServer, api: HfApi) -> None:
    with pytest.raises(EntryNotFoundError):
        hf_hub_download(REPO, "absent.txt")
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download(REPO, "README.md", revision="absent")
    with pytest.raises(RepositoryNotFoundError):
        hf_hub_download("org/absent", "README.md")
    with pytest.raises(RevisionNotFoundError):
        api.repo_info(REPO, revision="0" * 40)
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(REPO, "absent"))


def test_tree_and_paths(seeded: HubServer, api: HfApi) -> None:
    assert [entry.path for entry in api.list_repo_tree(REPO)] == ["README.md", "a", "w.bin"]
    assert [entry.path for entry in api.list_repo_tree(REPO, "a")] == ["a/b"]
    assert sorted(api.list_repo_files(REPO)) == ["README.md", "a/b/deep.txt", "w.bin"]
    (weights,) = api.get_paths_info(REPO, ["w.bin", "absent"], expand=True)
    assert weights.lfs.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert weights.last_commit.title == "initial commit"
    siblings = api.model_info(REPO, files_metadata=True).siblings
    assert {sibling.rfilename: sibling.size for sibling in siblings}["w.bin"] == len(WEIGHTS)


def test_tree_comes_in_pages(seeded: HubServer, api: HfApi, monkeypatch) -> None:
    monkeypatch.setattr(seeded, "tree_page_size", 2)
    assert len(list(api.list_repo_tree(REPO, recursive=True))) == 5
    assert seeded.count("GET .*/tree/") == 3


def test_file_system_reads_ranges(seeded: HubServer) -> None:
    files = HfFileSystem()
    with files.open(f"{REPO}/w.bin", block_size=1000) as file:
        file.seek(1_000_001)
        assert file.read(10) == WEIGHTS[1_000_001:1_000_011]
    assert files.glob(f"{REPO}/**/*.txt") == [f"{REPO}/a/b/deep.txt"]


def test_pandas_reads_hf_addresses(hub: HubServer) -> None:
    hub.seed_repo(REPO, "dataset", {"t.csv": b"a,b\n1,2\n"})
    assert pandas.read_csv(f"hf://datasets/{REPO}/t.csv")["b"].tolist() == [2]


# --- discussions and pull requests ----------------------------------------------------------


def test_anyone_with_a_token_may_open_a_pull_request(seeded: HubServer, api: HfApi) -> None:
    seeded.add_user("eve", "hf_eve")
    visitor = HfApi(token="hf_eve")
    info = visitor.create_commit(
        REPO, [add("r.json", b"{}"), add("big.bin", WEIGHTS)], commit_message="r", create_pr=True
    )
    assert info.pr_revision == "refs/pr/1"
    assert info.pr_url == f"{seeded.endpoint}/{REPO}/discussions/1"
    assert not api.file_exists(REPO, "r.json")
    path = hf_hub_download(REPO, "big.bin", revision="refs/pr/1")
    assert Path(path).read_bytes() == WEIGHTS
    visitor.create_commit(REPO, [add("r2", b"2")], commit_message="more", revision="refs/pr/1")
    assert api.file_exists(REPO, "r2", revision="refs/pr/1")
    with pytest.raises(HfHubHTTPError) as refusal:
        visitor.merge_pull_request(REPO, 1)
    assert refusal.value.response.status_code == 403


def test_only_its_author_and_writers_push_to_a_pull_request(seeded: HubServer, api: HfApi) -> None:
    seeded.add_user("eve", "hf_eve")
    number = pull_request(api, "x", b"1")
    with pytest.raises(HfHubHTTPError) as refusal:
        api.create_commit(
            REPO,
            [add("y", b"2")],
            commit_message="mine now",
            revision=f"refs/pr/{number}",
            token="hf_eve",
        )
    assert refusal.value.response.status_code == 403


def test_upload_folder_as_a_pull_request(seeded: HubServer, api: HfApi, tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("f")
    info = api.upload_folder(repo_id=REPO, folder_path=tmp_path, create_pr=True)
    snapshot = snapshot_download(REPO, revision=info.pr_revision)
    assert Path(snapshot, "f.txt").read_text() == "f"


def test_pull_request_is_listed_commented_and_merged(seeded: HubServer, api: HfApi) -> None:
    number = pull_request(api, "README.md", b"better")
    (listed,) = api.get_repo_discussions(REPO, discussion_type="pull_request", author="ada")
    assert (listed.num, listed.status, listed.is_pull_request) == (number, "open", True)
    assert api.comment_discussion(REPO, number, "fine").content == "fine"
    details = api.get_discussion_details(REPO, number)
    assert [event.type for event in details.events] == ["comment", "commit", "comment"]
    assert "-hello\n+better" in details.diff and details.conflicting_files == []
    api.merge_pull_request(REPO, number, comment="merging")
    merged = api.get_discussion_details(REPO, number)
    assert merged.status == "merged"
    assert merged.merge_commit_oid == api.repo_info(REPO).sha
    assert seeded.repo("model", REPO).files()["README.md"] == b"better"
    assert list(api.get_repo_discussions(REPO, discussion_status="open")) == []


def test_merge_keeps_what_main_gained_and_refuses_conflicts(seeded: HubServer, api: HfApi) -> None:
    clean, clashing = pull_request(api, "x", b"1"), pull_request(api, "README.md", b"theirs")
    api.create_commit(REPO, [add("README.md", b"ours")], commit_message="ours")
    api.merge_pull_request(REPO, clean)
    files = seeded.repo("model", REPO).files()
    assert (files["README.md"], files["x"]) == (b"ours", b"1")
    assert api.get_discussion_details(REPO, clashing).conflicting_files == ["README.md"]
    with pytest.raises(HfHubHTTPError) as refusal:
        api.merge_pull_request(REPO, clashing)
    assert refusal.value.response.status_code == 409


def test_a_draft_is_opened_before_it_is_merged(seeded: HubServer, api: HfApi) -> None:
    draft = api.create_pull_request(REPO, "A draft")
    assert draft.status == "draft" and draft.git_reference == "refs/pr/1"
    api.create_commit(REPO, [add("x", b"1")], commit_message="x", revision="refs/pr/1")
    with pytest.raises(HfHubHTTPError):
        api.merge_pull_request(REPO, 1)
    assert api.change_discussion_status(REPO, 1, "open").new_status == "open"
    api.merge_pull_request(REPO, 1)


def test_discussion_without_changes(seeded: HubServer, api: HfApi) -> None:
    thread = api.create_discussion(REPO, "A question", description="Why?")
    assert not thread.is_pull_request and thread.events[0].content == "Why?"
    api.change_discussion_status(REPO, thread.num, "closed", comment="done")
    assert [d.status for d in api.get_repo_discussions(REPO)] == ["closed"]


def test_twenty_pull_requests_at_once(seeded: HubServer, api: HfApi) -> None:
    with ThreadPoolExecutor(20) as pool:
        opened = pool.map(lambda n: pull_request(api, f"r/{n}.json", b"{}"), range(20))
    assert sorted(opened) == list(range(1, 21))
    assert len(list(api.get_repo_discussions(REPO))) == 20
    for number in range(1, 21):
        api.merge_pull_request(REPO, number)
    assert sum(path.startswith("r/") for path in api.list_repo_files(REPO)) == 20


# --- models and datasets --------------------------------------------------------------------


class Net(torch.nn.Module, PyTorchModelHubMixin):
    """A model of one layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(width, 2)


def test_model_round_trip(hub: HubServer) -> None:
    net = Net(width=3)
    net.push_to_hub("ada/net")
    back = Net.from_pretrained("ada/net", strict=True)
    assert torch.equal(back.layer.weight, net.layer.weight)
    assert "model.safetensors" in hub.repo("model", "ada/net").files()


def pictures(count: int) -> Dataset:
    images = [Picture.new("RGB", (8, 8), (n, 0, 0)) for n in range(count)]
    features = Features({"image": Image(), "label": ClassLabel(names=["cat", "dog"])})
    rows = {"image": images, "label": [n % 2 for n in range(count)]}
    return Dataset.from_dict(rows, features=features)


@pytest.fixture
def pushed(hub: HubServer) -> Iterator[str]:
    DatasetDict(retain=pictures(6), forget=pictures(2)).push_to_hub("org/data", "base")
    DatasetDict(retain=pictures(4), forget=pictures(4)).push_to_hub("org/data", "other")
    yield "org/data"


def test_dataset_round_trip_with_configs_slices_and_streams(pushed: str, hub: HubServer) -> None:
    first = next(c for c in hub.repo("dataset", pushed).history() if "base/" in " ".join(c.files))
    base = load_dataset(pushed, "base")
    assert {name: len(split) for name, split in base.items()} == {"retain": 6, "forget": 2}
    assert base["retain"].features["label"].names == ["cat", "dog"]
    assert base["retain"][5]["image"].getpixel((0, 0)) == (5, 0, 0)
    assert len(load_dataset(pushed, "other", split="retain[:50%]")) == 2
    assert len(load_dataset(pushed, "base", split="forget", revision=first.sha)) == 2
    stream = load_dataset(pushed, "other", split="forget", streaming=True)
    assert [row["label"] for row in stream] == [0, 1, 0, 1]


def test_dataset_pull_request(pushed: str, hub: HubServer) -> None:
    info = pictures(3).push_to_hub(pushed, "third", split="forget", create_pr=True)
    revision = f"refs/pr/{info.pr_num}"
    assert len(load_dataset(pushed, "third", split="forget", revision=revision)) == 3
    with pytest.raises(ValueError, match="third"):
        load_dataset(pushed, "third")


# --- misbehaviour ---------------------------------------------------------------------------


def test_server_error_goes_away(seeded: HubServer, impatient: None) -> None:
    fault = seeded.fail("resolve/main/README.md", times=2, status=503)
    assert Path(hf_hub_download(REPO, "README.md")).read_bytes() == b"hello"
    assert fault.struck == 2
    assert [r.status for r in seeded.requests] == [503, 503, 200, 200]


def test_server_error_may_stay(seeded: HubServer, api: HfApi) -> None:
    seeded.fail("GET /api/models/", times=None, status=500)
    with pytest.raises(HfHubHTTPError) as refusal:
        api.repo_info(REPO)
    assert refusal.value.response.status_code == 500
    with pytest.raises(LocalEntryNotFoundError):
        snapshot_download(REPO)
    seeded.faults.clear()
    assert api.repo_info(REPO).id == REPO


def test_dropped_download_is_resumed(
    seeded: HubServer, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client resumes after whole pieces of 10 MB; smaller ones need no large file here.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100_000)
    fault = seeded.fail("w.bin", kind="drop")
    assert Path(hf_hub_download(REPO, "w.bin")).read_bytes() == WEIGHTS
    assert fault.struck == 1
    assert [r.status for r in seeded.requests if r.method == "GET"] == [200, 206]


def test_dropped_upload_is_sent_again(hub: HubServer, api: HfApi, impatient: None) -> None:
    api.create_repo(REPO)
    fault = hub.fail("PUT /lfs/", kind="drop")
    api.upload_file(path_or_fileobj=WEIGHTS, path_in_repo="w.bin", repo_id=REPO)
    assert fault.struck == 1 and hub.count("PUT /lfs/") == 2
    assert hub.repo("model", REPO).files()["w.bin"] == WEIGHTS


def test_truncated_download_is_noticed(seeded: HubServer) -> None:
    seeded.fail("w.bin", kind="truncate")
    with pytest.raises(OSError, match="Consistency check failed"):
        hf_hub_download(REPO, "w.bin")


def test_corrupted_download_is_only_noticed_by_checksums(seeded: HubServer, api: HfApi) -> None:
    fault = seeded.fail("w.bin", kind="corrupt")
    folder = snapshot_download(REPO)
    assert fault.struck == 1
    assert Path(folder, "w.bin").read_bytes() != WEIGHTS
    assert [wrong["path"] for wrong in api.verify_repo_checksums(REPO).mismatches] == ["w.bin"]


def test_corrupted_upload_is_refused(hub: HubServer, api: HfApi) -> None:
    api.create_repo(REPO)
    hub.fail("PUT /lfs/", kind="corrupt")
    with pytest.raises(RuntimeError) as failure:
        api.upload_file(path_or_fileobj=WEIGHTS, path_in_repo="w.bin", repo_id=REPO)
    assert isinstance(failure.value.__cause__, BadRequestError)
    assert "SHA-256" in str(failure.value.__cause__)
    assert "w.bin" not in hub.repo("model", REPO).files()


def test_lost_answer_leaves_the_work_done(seeded: HubServer, api: HfApi) -> None:
    seeded.fail("POST .*/commit/", kind="lost")
    with pytest.raises(Exception, match="disconnected"):
        pull_request(api, "x", b"1")
    assert [thread.title for thread in api.get_repo_discussions(REPO)] == ["add"]


def test_fault_may_wait_for_a_later_request(seeded: HubServer, api: HfApi) -> None:
    seeded.fail("GET /api/models/org/thing$", after=1, status=418)
    assert api.repo_info(REPO).id == REPO
    with pytest.raises(HfHubHTTPError):
        api.repo_info(REPO)
    assert api.repo_info(REPO).id == REPO


def test_log_says_whether_a_token_came_but_not_which(seeded: HubServer, api: HfApi) -> None:
    api.repo_info(REPO)
    api.repo_info(REPO, token=False)
    assert [request.authorized for request in seeded.requests] == [True, False]
    assert "hf_ada" not in repr(seeded.requests)


def test_subprocess_sees_the_same_hub(seeded: HubServer) -> None:
    program = f"import huggingface_hub as h; print(h.model_info({REPO!r}).sha)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stdout.strip() == seeded.repo("model", REPO).commit_at().sha, answer.stderr


def test_closed_server_answers_nobody() -> None:
    with HubServer() as other:
        other.seed_repo(REPO, "model", {"f": b""})
        api = HfApi(endpoint=other.endpoint, token=False)
        assert api.repo_exists(REPO)
        assert hf_hub_download(REPO, "f", endpoint=other.endpoint, token=False)
    with pytest.raises(Exception, match=r"refused|disconnected|reset"):
        api.repo_info(REPO)
