"""Originals on a Hub: the real client against the test hub, and everything that can go wrong."""

import hashlib
import os
import traceback
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi, constants
from loopback_hub import printed_by
from original_layouts_example import akamaster, edadaltocg, ours, pickled, timm, transformers

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.hub import access as hub_access
from benchmark_adapters.originals.checkpoints import save_checkpoint
from benchmark_adapters.originals.load import load_original

TOKEN = "hf_ada"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """New attempts follow at once; their number stays."""
    monkeypatch.setattr(hub_access, "WAITS", (0.0, 0.0, 0.0))


@pytest.fixture
def seeded(hub, tmp_path):
    """A hub with our layout under org/net."""
    hub.seed_repo("org/net", "model", ours(tmp_path / "seed"))
    return hub


def refused(source, reason, **options):
    """The one line that loading is refused with; it never holds a token."""
    with pytest.raises(ValueError, match=reason) as raised:
        load_original(source, **options)
    text = str(raised.value)
    assert "\n" not in text
    told = "".join(traceback.format_exception(raised.value))
    for token in (TOKEN, str(options.get("token") or TOKEN)):
        assert token.strip() not in told
    return text


def cached_files():
    """The whole files in the cache, without the client's notes of what there is not."""
    cache = Path(constants.HF_HUB_CACHE)
    found = [path for path in cache.rglob("*") if path.is_file()]
    return [path for path in found if "blobs" in path.parts and path.suffix != ".lock"]


# --- what works -----------------------------------------------------------------------------


def layouts(tmp_path):
    yield "org/ours", ours(tmp_path / "ours"), "model.safetensors"
    yield "org/th", akamaster(), "resnet20-12fca82f.th"
    yield "org/eda", edadaltocg(build_architecture("cifar_resnet18", 5)), "pytorch_model.bin"


def test_each_layout_is_pushed_and_pulled_at_a_pinned_revision_a_tag_and_a_branch(hub, tmp_path):
    api = HfApi()
    for repo_id, files, weights_file in layouts(tmp_path):
        folder = tmp_path / repo_id
        folder.mkdir(parents=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        api.create_repo(repo_id)
        commit = api.upload_folder(repo_id=repo_id, folder_path=folder).oid
        api.create_tag(repo_id, tag="v1.0")
        api.create_branch(repo_id, branch="old/main")
        # Afterwards main moves on to something that cannot be loaded.
        api.delete_file(weights_file, repo_id)
        local = load_original(folder)
        for revision in (commit, "v1.0", "old/main"):
            for pulled in (
                load_original(f"{repo_id}@{revision}"),
                load_original(repo_id, revision=revision),
            ):
                assert pulled.commit == commit and pulled.source == repo_id
                assert pulled.config == local.config and pulled.sha256 == local.sha256
                assert pulled.licence_text == local.licence_text
                state = pulled.model.state_dict()
                for key, value in local.model.state_dict().items():
                    assert torch.equal(state[key], value)
        refused(repo_id, "expected one file of weights|there is no")


@pytest.mark.real_data
def test_the_real_resnet18_in_the_layout_of_edadaltocg(hub, real_data):
    folder = real_data / "checkpoints" / "resnet18-cifar10"
    hub.seed_repo("edadaltocg/resnet18_cifar10", "model", folder)
    pulled, local = load_original("edadaltocg/resnet18_cifar10"), load_original(folder)
    assert pulled.config == local.config and pulled.sha256 == local.sha256
    assert pulled.config.classes[1] == "automobile" and len(pulled.commit) == 40


@pytest.mark.parametrize("layout", [timm, transformers])
def test_libraries_layouts_from_the_hub(hub, tmp_path, layout):
    library = layout.__name__
    pytest.importorskip(library, reason=f"the extra {library} is not installed")
    model, files = layout(tmp_path / library)
    hub.seed_repo(f"org/{library}", "model", files)
    pulled = load_original(f"org/{library}").model.state_dict()
    assert all(torch.equal(pulled[key], value) for key, value in model.state_dict().items())


def test_a_pull_request_is_a_revision(seeded, tmp_path):
    model = build_architecture("all_cnn", 5, width=0.1)
    save_checkpoint(tmp_path / "new", model, load_original("org/net").config)
    opened = HfApi().upload_folder(repo_id="org/net", folder_path=tmp_path / "new", create_pr=True)
    proposed = load_original("org/net", revision=opened.pr_revision)
    assert torch.equal(proposed.model.classifier.weight, model.classifier.weight)
    assert proposed.commit == opened.oid != load_original("org/net").commit


def test_a_branch_is_resolved_once_and_all_files_come_from_that_commit(seeded):
    load_original("org/net")
    assert seeded.count(r"GET /api/models/org/net") == 1
    assert seeded.count(r"/resolve/main/") == 0
    seen = seeded.count(r"GET .*/resolve/")
    # Everything is in the cache by now, under its commit.
    load_original("org/net")
    assert seeded.count(r"GET .*/resolve/") == seen


def test_a_branch_that_moved_is_seen(seeded, tmp_path):
    first = load_original("org/net").commit
    seeded.seed_repo("org/net", "model", ours(tmp_path / "other"))
    second = load_original("org/net")
    assert second.commit != first
    assert load_original("org/net", revision=first).sha256 != second.sha256


# --- what cannot be had ---------------------------------------------------------------------


def test_a_revision_that_is_not_there(seeded):
    refused("org/net@v9", "org/net@v9: the repository has no such branch, tag or commit")
    refused("org/net", "org/net@0000000000.*no such branch, tag or commit", revision="0" * 40)
    refused("org/net@v1", "two revisions are named, 'v1' and 'v2'", revision="v2")
    for revision in ("../../x", "a//b", "a b", ".."):
        refused("org/net", "a revision is a branch, a tag or a commit", revision=revision)


def test_a_repository_that_is_not_there(hub):
    refused("org/nosuch", "org/nosuch: there is no such repository, or it is private")


def test_a_file_that_is_not_there(seeded):
    seeded.seed_repo("org/empty", "model", {"README.md": b"nothing"})
    refused("org/empty", "expected one file of weights .* there are none")
    # The listing names it, the download does not find it.
    seeded.fail(r"resolve/\w+/model.safetensors", times=None, status=404)
    refused(
        "org/net",
        "model.safetensors: the Hub can't be reached .* not all that is needed is in the cache",
    )


@pytest.mark.parametrize("token", [False, "hf_stranger_with_a_token"])
@pytest.mark.parametrize("shut", [{"private": True}, {"gated": True}])
def test_a_repository_that_may_not_be_read(hub, tmp_path, shut, token):
    hub.add_user("bob", "hf_stranger_with_a_token")
    hub.seed_repo("org/shut", "model", ours(tmp_path / "a"), **shut)
    refused(
        "org/shut",
        "is gated: ask for access|or it is private and needs a token: check the name",
        token=token,
    )
    assert cached_files() == []
    assert load_original("org/shut", token=TOKEN).config.num_classes == 5
    assert load_original("org/shut").config.num_classes == 5


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("hf_wrongwrongwrong", r"org/net: the Hub refuses this login \(HTTP 401\): log in"),
        ("hf_illegal_\nvalue", "the token holds characters that no token has"),
        ("hf_ünicode_token", "the token holds characters that no token has"),
    ],
)
def test_a_wrong_token_is_never_repeated(seeded, token, reason):
    said = refused("org/net", reason, token=token)
    assert not any(part in said for part in ("wrongwrong", "illegal", "nicode"))


def test_a_name_that_leaves_the_folder(hub, tmp_path):
    for name in ("../evil.safetensors", "/etc/evil.bin", "a/../../evil.th", "a\\evil.pt", "C:evil"):
        hub.reset()
        hub.seed_repo("org/evil", "model", {**ours(tmp_path / name[-1:]), name: b"x"})
        refused("org/evil", "names a file outside its folder, .*evil", token=False)
        assert cached_files() == []


def test_a_malicious_pickle(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    class Malicious:
        def __reduce__(self):
            return (os.system, ("touch pwned",))

    hub.seed_repo("org/evil", "model", {"model.th": pickled({"state_dict": Malicious()})})
    refused("org/evil", "cannot load org/evil@.*: model.th is not .* weights alone.*posix.system")
    assert not (tmp_path / "pwned").exists()


def test_an_unknown_architecture_is_said_before_the_weights_are_fetched(hub, tmp_path):
    hub.seed_repo("org/net", "model", ours(tmp_path / "a", architecture="nosuch"))
    refused("org/net", "cannot load org/net@.*: unknown architecture 'nosuch'; known: ")
    assert hub.count("safetensors") == 0


# --- bytes that do not arrive ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_bytes_that_do_not_match_their_hash(seeded, name):
    seeded.fail(rf"GET .*resolve/\w+/{name}", times=1, kind="corrupt")
    refused("org/net", f"cannot load org/net@.*: {name} does not have the hash that the Hub names")
    # The damaged file left the cache, so that the next attempt is a new one.
    assert load_original("org/net").config.num_classes == 5


def test_a_cache_that_was_tampered_with(seeded, tmp_path, monkeypatch):
    commit = load_original("org/net").commit
    for blob in cached_files():
        blob.chmod(0o644)
        blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    refused("org/net", "does not have the hash that the Hub names", revision=commit)


def test_the_hash_that_a_request_names(seeded):
    loaded = load_original("org/net")
    blob = hashlib.sha256(
        seeded.repo("model", "org/net").refs["refs/heads/main"].files["model.safetensors"].read()
    ).hexdigest()
    assert loaded.sha256 == blob
    assert load_original("org/net", sha256=blob).commit == loaded.commit
    refused("org/net", f"has sha256 {blob}, expected {'1' * 64}", sha256="1" * 64)


@pytest.mark.parametrize("kind", ["drop", "truncate"])
def test_a_connection_lost_in_the_middle_is_taken_up_again_or_said(seeded, kind, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    fault = seeded.fail(r"GET .*resolve/\w+/model.safetensors", times=1, kind=kind)
    if kind == "drop":
        assert load_original("org/net").config.num_classes == 5
    else:
        refused("org/net", "cannot load org/net@.*: model.safetensors: ")
        assert not [path for path in cached_files() if path.name.endswith(".incomplete")]
        assert load_original("org/net").config.num_classes == 5
    assert fault.struck == 1


def test_a_connection_that_stays_lost_leaves_nothing_half_written(seeded, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    seeded.fail(r"(GET|HEAD) .*resolve/\w+/model.safetensors", times=None, kind="lost")
    refused("org/net", "cannot load org/net@.*: model.safetensors: ")
    assert not [path for path in cached_files() if path.stat().st_size > 2000]
    seeded.faults.clear()
    assert load_original("org/net").config.num_classes == 5


@pytest.mark.parametrize("where", [r"GET /api/models", r"GET .*resolve/\w+/model.safetensors"])
@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_hub_out_of_order_for_a_while_is_asked_again(seeded, where, status, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    fault = seeded.fail(where, times=2, status=status)
    assert load_original("org/net").config.num_classes == 5
    assert fault.struck == 2


def test_a_hub_that_stays_out_of_order_is_said(seeded, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    fault = seeded.fail(r"GET /api/models", times=None, status=503)
    refused("org/net", r"org/net: the Hub is out of order \(HTTP 503\): try again later")
    assert fault.struck == 4


def test_a_refusal_is_not_asked_again(seeded):
    refused("org/nosuch", "there is no such repository")
    assert seeded.count("org/nosuch") == 1


# --- without the Hub ------------------------------------------------------------------------


def process_says(*sources, **environment):
    """The commit, or the ValueError, of each source in a process of its own; a line each."""
    script = f"""
from benchmark_adapters.hub import access as hub_access
hub_access.WAITS = ()
from benchmark_adapters.originals.load import load_original
for source in {sources}:
    try:
        print(load_original(source).commit)
    except ValueError as error:
        print('ValueError:', error)
"""
    said = printed_by(script, **environment)
    assert TOKEN not in "".join(said)
    return said


@pytest.mark.slow
def test_a_hub_that_is_not_there_is_said():
    (said,) = process_says("org/net", HF_ENDPOINT="http://127.0.0.1:9")
    assert said.startswith("ValueError: org/net: ConnectError: ")


@pytest.mark.slow
def test_offline_with_a_warm_and_a_cold_cache(seeded):
    HfApi().create_tag("org/net", tag="v1.0")
    commit = load_original("org/net").commit
    load_original("org/net@v1.0")
    asked = len(seeded.requests)
    known = ("org/net", "org/net@v1.0", f"org/net@{commit}")
    said = process_says(*known, "org/other", "org/net@v2", HF_HUB_OFFLINE="1")
    assert said[:3] == [commit] * 3
    for source, line in zip(("org/other@main", "org/net@v2"), said[3:], strict=True):
        assert line == (
            f"ValueError: HF_HUB_OFFLINE is set, and {source} is not in the cache: "
            f"load it once without HF_HUB_OFFLINE; nor is there a file or folder "
            f"{source.partition('@')[0]!r} here"
        )
    assert len(seeded.requests) == asked


def test_offline_with_a_cache_that_was_damaged_or_is_half_there(seeded, monkeypatch):
    load_original("org/net")
    # The client reads the environment variable at import, this at every request.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert load_original("org/net").config.num_classes == 5
    weights = max(cached_files(), key=lambda path: path.stat().st_size)
    weights.write_bytes(weights.read_bytes()[:-10])
    refused("org/net", "is set.: model.safetensors does not have the hash")
    refused("org/net", r"\(HF_HUB_OFFLINE is set\): expected one file of weights")
