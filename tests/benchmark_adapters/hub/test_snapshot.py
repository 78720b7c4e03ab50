"""One file of a repository and a folder of them: the same checks for both."""

import logging
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from benchmark_adapters.hub import access as hub_access
from benchmark_adapters.hub.access import HubError, HubSource
from benchmark_adapters.hub.files import hub_files
from benchmark_adapters.hub.snapshot import snapshot

CONTENT = {"README.md": b"# small", "data.parquet": bytes(range(256)) * 400}


class OneByOne:
    kind = "model"

    @staticmethod
    def fetch(source, token=None):
        files = hub_files(source, token)
        return files.commit, {name: files.read(name) for name in sorted(files.names)}


class Together:
    kind = "dataset"

    @staticmethod
    def fetch(source, token=None):
        folder, commit = snapshot(source, token=token)
        paths = (path for path in folder.rglob("*") if path.is_file())
        return commit, {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """New attempts follow at once, the client's own too; their number stays."""
    monkeypatch.setattr(hub_access, "WAITS", (0.0, 0.0, 0.0))
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture(params=[OneByOne, Together])
def way(request, hub):
    """A way to fetch files, and org/r for it on the hub."""
    hub.seed_repo("org/r", request.param.kind, CONTENT)
    return request.param


def blobs():
    """The names of the whole files in the cache."""
    found = Path(constants.HF_HUB_CACHE).glob("*/blobs/*")
    return sorted(path.name for path in found if path.suffix != ".lock")


def test_a_branch_is_resolved_once_and_its_commit_returned(hub, way):
    commit, files = way.fetch(HubSource("org/r"))
    assert commit == hub.repo(way.kind, "org/r").commit_at("main").sha
    assert {name: files[name] for name in CONTENT} == CONTENT
    assert hub.count(rf"GET /api/{way.kind}s/org/r/revision/") == 1


@pytest.mark.parametrize("name", CONTENT)
def test_damaged_bytes_leave_the_cache(hub, way, name):
    hub.fail(rf"GET .*resolve/\w+/{name}", times=1, kind="corrupt")
    with pytest.raises(HubError, match=rf"{name} does not have the hash that the Hub names"):
        way.fetch(HubSource("org/r"))
    before = blobs()
    assert way.fetch(HubSource("org/r"))[1][name] == CONTENT[name]
    assert len(blobs()) > len(before)


@pytest.mark.parametrize("name", CONTENT)
def test_a_cache_that_was_tampered_with_is_noticed(hub, way, name):
    commit, _ = way.fetch(HubSource("org/r"))
    (found,) = Path(constants.HF_HUB_CACHE).glob(f"*/snapshots/{commit}/{name}")
    found.resolve().write_bytes(found.read_bytes()[:-1] + b"!")
    with pytest.raises(HubError, match=f"{name} does not have the hash"):
        way.fetch(HubSource("org/r", commit))
    assert way.fetch(HubSource("org/r", commit))[1][name] == CONTENT[name]


@pytest.mark.parametrize("name", ["../evil.bin", "/etc/evil", "a/../../evil", "a\\evil", "C:evil"])
@pytest.mark.parametrize("pinned", [False, True])
def test_a_name_that_leaves_the_folder_is_refused(hub, way, name, pinned):
    repo = hub.seed_repo("org/evil", way.kind, {**CONTENT, name: b"x"})
    revision = repo.commit_at("main").sha if pinned else None
    with pytest.raises(HubError, match=r"names a file outside its folder, .*evil"):
        way.fetch(HubSource("org/evil", revision))
    assert blobs() == [] and hub.count("/resolve/") == 0


@pytest.mark.parametrize("where", ["/api/", "HEAD .*/resolve/", "GET .*/resolve/"])
@pytest.mark.parametrize("status", [408, 429, 503])
def test_a_hub_out_of_order_for_a_while_is_asked_again(hub, way, where, status):
    fault = hub.fail(where, times=2, status=status)
    _, files = way.fetch(HubSource("org/r"))
    assert {name: files[name] for name in CONTENT} == CONTENT
    assert fault.struck == 2


@pytest.mark.parametrize("where", ["/api/", "HEAD .*/resolve/", "GET .*/resolve/"])
def test_a_hub_that_stays_out_of_order_is_said_to_be(hub, way, where):
    hub.fail(where, times=None, status=503)
    with pytest.raises(HubError, match=r"the Hub is out of order \(HTTP 503\)") as caught:
        way.fetch(HubSource("org/r"))
    assert caught.value.status == 503


def test_what_is_no_commit_is_not_taken_for_one(hub, way):
    object.__setattr__(hub.repo(way.kind, "org/r").commit_at("main"), "sha", "../../elsewhere")
    with pytest.raises(HubError, match=r"org/r: the Hub names no commit, but '../../elsewhere'"):
        way.fetch(HubSource("org/r"))


@pytest.mark.parametrize("fault", [{"status": 503}, {"kind": "lost"}])
def test_a_branch_is_not_taken_from_the_cache_unasked(hub, way, fault, monkeypatch):
    commit, files = way.fetch(HubSource("org/r"))
    struck = hub.fail("/api/", times=None, **fault)
    hint = "HF_HUB_OFFLINE=1 takes what the cache holds"
    wanted = hint if "kind" in fault else r"org/r: .*HTTP 503"
    with pytest.raises(HubError, match=wanted) as caught:
        way.fetch(HubSource("org/r"))
    assert struck.struck and "\n" not in str(caught.value)
    # Where there is nothing in the cache, nothing is offered.
    with pytest.raises(HubError) as caught:
        way.fetch(HubSource("org/other"))
    assert hint not in str(caught.value)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert way.fetch(HubSource("org/r")) == (commit, files)


def test_offline_a_tag_and_a_commit_mean_what_they_meant(hub, way, monkeypatch):
    HfApi().create_tag("org/r", tag="v1", repo_type=way.kind)
    commit, files = way.fetch(HubSource("org/r", "v1"))
    asked = len(hub.requests)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for revision in ("v1", commit):
        assert way.fetch(HubSource("org/r", revision)) == (commit, files)
    for source in (HubSource("org/r", "v2"), HubSource("org/cold"), HubSource("org/r", "0" * 40)):
        with pytest.raises(
            HubError, match=r"HF_HUB_OFFLINE is set, and org/.* is not in the cache"
        ):
            way.fetch(source)
    assert len(hub.requests) == asked


def test_a_commit_in_the_cache_is_not_asked_for_again(hub):
    hub.seed_repo("org/r", "dataset", CONTENT)
    first = Together.fetch(HubSource("org/r"))
    asked = len(hub.requests)
    assert Together.fetch(HubSource("org/r", first[0])) == first
    assert len(hub.requests) == asked


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("hf_wrongwrongwrong", r"org/r: the Hub refuses this login \(HTTP 401\)"),
        ("hf_illegal_\nvalue", "the token holds characters that no token has"),
        ("hf_ünicode_token", "the token holds characters that no token has"),
    ],
)
def test_a_wrong_token_is_never_repeated(way, token, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        way.fetch(HubSource("org/r"), token)
    assert not any(part in str(caught.value) for part in ("wrongwrong", "illegal", "nicode"))


def test_a_token_of_ones_own_opens_what_is_private(hub, way, monkeypatch):
    hub.seed_repo("org/shut", way.kind, CONTENT, private=True)
    monkeypatch.delenv("HF_TOKEN")
    for token in (None, False):
        with pytest.raises(HubError, match="or it is private and needs a token"):
            way.fetch(HubSource("org/shut"), token)
    assert len(way.fetch(HubSource("org/shut"), "hf_ada")[1]) >= len(CONTENT)


def test_a_disk_that_fails_speaks_for_itself(way, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError) as caught:
        way.fetch(HubSource("org/r"))
    assert caught.value.errno is not None


def test_a_pattern_that_nothing_matches_is_an_answer_and_no_warning(hub, caplog, capfd):
    """Whether a repository holds a split is asked so, and the client would print a line."""
    hub.seed_repo("org/r", "dataset", CONTENT)
    client = logging.getLogger("huggingface_hub._snapshot_download")
    folder, _ = snapshot(HubSource("org/r"), patterns=["*/split.json"])
    assert not list(folder.rglob("split.json")) and not client.filters
    assert "No files matched" not in caplog.text + capfd.readouterr().err
