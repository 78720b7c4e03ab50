"""Asking the Hub: what is tried again, what is said, and what is never said."""

import errno
import pickle
import traceback
from functools import partial
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError
from hypothesis import given
from hypothesis import strategies as st

from benchmark_adapters.command_line.without_tokens import without_tokens
from benchmark_adapters.hub import access as hub_access
from benchmark_adapters.hub.access import (
    HubError,
    HubSource,
    clearly,
    parse_source,
    repository_source,
)
from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.originals.load import load_original


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """New attempts follow at once; their number stays."""
    monkeypatch.setattr(hub_access, "WAITS", (0.0, 0.0, 0.0))


def asked(**options):
    return clearly("org/net", lambda: HfApi().model_info("org/net"), **options)


def failing(error):
    def work():
        raise error

    return work


PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}"
NAME = st.from_regex(f"{PART}/{PART}", fullmatch=True)
REVISION = st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,8}", fullmatch=True)


@given(NAME, REVISION)
def test_a_source_reads_as_it_is_written(name, revision):
    source = HubSource(name, revision)
    assert parse_source(str(source)) == repository_source(str(source)) == source


def test_a_folder_comes_before_a_repository_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_source("org/net") == HubSource("org/net")
    (tmp_path / "org" / "net").mkdir(parents=True)
    assert parse_source("org/net") == parse_source(Path("org/net")) == tmp_path / "org" / "net"


@pytest.mark.parametrize(
    "source", ["", "net", "a/b/c", "org/net@", "../net", "./net", "/net", Path("org/net")]
)
def test_what_is_neither_here_nor_a_repository_is_refused(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for parse in (parse_source, repository_source):
        with pytest.raises(ValueError, match="neither here nor a repository org/name"):
            parse(source)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("./orginal", "original"), ("photos/trian/x", None), ("orig.pth", "origs.pth")],
)
def test_a_mistyped_path_is_not_asked_of_the_hub(typed, meant, hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("original", "photos", "origs.pth"):
        (tmp_path / name).mkdir()
    for ask in (load_original, partial(load_base, split="train")):
        with pytest.raises(ValueError, match=f"no such file or folder: '{typed}' is") as caught:
            ask(typed)
        assert meant is None or str(caught.value).endswith(f" ({meant} is)")
    assert not hub.requests


def test_what_may_be_a_path_or_a_repository_is_said_to_be_neither(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "train").mkdir(parents=True)
    here = "nor is there a file or folder 'photos/trian' here (photos/train is)"
    for ask in (load_original, partial(load_base, split="train")):
        with pytest.raises(ValueError, match="there is no such repository") as caught:
            ask("photos/trian")
        assert str(caught.value).endswith(here)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(ValueError, match="HF_HUB_OFFLINE is set") as caught:
            ask("photos/trian")
        assert str(caught.value).endswith(here)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub.seed_repo("org/net", "model", {"a": b"b"})
    hub.fail(r"GET /api/models/org/net", times=None, status=403)
    with pytest.raises(ValueError, match="HTTP 403") as caught:
        load_original("org/net")
    assert "file or folder" not in str(caught.value)


def test_a_home_of_nobody_is_no_folder():
    with pytest.raises(ValueError, match="no such file or folder: '~nobody-here/net' is"):
        parse_source("~nobody-here/net")


@pytest.mark.parametrize("revision", ["", "..", "../../x", "a//b", "/etc", "a b", "v1@v2", "a\n"])
def test_a_revision_that_leaves_the_cache_is_no_revision(revision):
    with pytest.raises(ValueError, match="a revision is a branch, a tag or a commit"):
        HubSource("org/net", revision)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_hub_out_of_order_is_asked_four_times(hub, status):
    hub.seed_repo("org/net", "model", {"a": b"b"})
    for_good = hub.fail(r"GET /api/models/org/net", times=None, status=status)
    with pytest.raises(HubError, match=rf"^org/net: .*out of order \(HTTP {status}\)") as caught:
        asked()
    assert caught.value.status == status and for_good.struck == 4
    hub.faults.clear()
    for_a_while = hub.fail(r"GET /api/models/org/net", times=3, status=status)
    assert asked().id == "org/net" and for_a_while.struck == 3


def test_what_must_be_done_once_is_tried_once(hub):
    hub.seed_repo("org/net", "model", {"a": b"b"})
    fault = hub.fail(r"GET /api/models/org/net", times=None, status=503)
    with pytest.raises(HubError, match="HTTP 503"):
        asked(once=True)
    assert fault.struck == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412])
def test_a_refusal_is_said_at_once_with_its_status(hub, status):
    hub.seed_repo("org/net", "model", {"a": b"b"})
    fault = hub.fail(r"GET /api/models/org/net", times=None, status=status)
    with pytest.raises(HubError, match=r"^org/net: ") as caught:
        asked()
    assert caught.value.status == status and fault.struck == 1
    assert "\n" not in str(caught.value) and "hf_ada" not in str(caught.value)
    assert isinstance(caught.value.__cause__, HfHubHTTPError)


def test_a_full_disk_speaks_for_itself():
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError) as caught:
        clearly("org/net", lambda: Path("/dev/full").write_text("x"))
    assert caught.value.errno == errno.ENOSPC and not isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(errno.ECONNRESET, "reset by peer"),
        TimeoutError(errno.ETIMEDOUT, "timed out"),
        OSError("Consistency check failed\nfile should be of size 3"),
        RuntimeError("Data processing error"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        KeyError("sha"),
    ],
)
def test_whatever_the_client_raises_is_one_line_that_names_it(error):
    with pytest.raises(HubError, match=f"^org/net: {type(error).__name__}: ") as caught:
        clearly("org/net", failing(error))
    assert "\n" not in str(caught.value) and caught.value.status is None
    assert caught.value.__cause__ is error


def test_what_the_work_itself_finds_wrong_is_raised_as_it_is():
    for error in (ValueError("another split"), HubError("others keep committing")):
        with pytest.raises(ValueError) as caught:
            clearly("org/net", failing(error))
        assert caught.value is error


@pytest.mark.parametrize("token", ["hf_the_token_of_ada", "secret-of-a-mirror", None])
def test_an_error_that_quotes_a_token_is_told_without(hub, token, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "another-secret")
    quoted = f"Illegal header value 'Bearer {token or 'another-secret'}'"

    def work():
        try:
            raise RuntimeError(quoted)
        except RuntimeError as error:
            raise OSError("no connection") from error

    for failure, said in ((failing(RuntimeError(quoted)), "Bearer"), (work, "no connection")):
        with pytest.raises(HubError, match=said) as caught:
            clearly("org/net", failure, token=token)
        told = "".join(traceback.format_exception(caught.value))
        assert (token or "another-secret") not in told and "Traceback" in told


@pytest.mark.parametrize("token", ["hf_a\nb", "hf_ü", "two words", ""])
def test_a_token_that_can_be_none_is_refused_before_it_is_sent(hub, token):
    with pytest.raises(ValueError, match="the token holds characters that no token has") as caught:
        clearly("org/net", lambda: HfApi(token=token).model_info("org/net"), token=token)
    assert not isinstance(caught.value, HubError) and not hub.requests
    assert not token or token not in str(caught.value)


def test_the_error_travels_between_processes_with_its_status(hub):
    with pytest.raises(HubError) as caught:
        asked()
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy), copy.status) == (HubError, str(caught.value), 404)


def test_tokens_are_blotted_out_of_any_text(hub):
    text = without_tokens("hf_ada, hf_abcdefghijkl and of-a-mirror", "of-a-mirror")
    assert text == "(token), (token) and (token)"
