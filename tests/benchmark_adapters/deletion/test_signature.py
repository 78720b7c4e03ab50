"""Signed checkpoints: signed with a key, verified with the public one without any network."""

import json

import pytest
from digits_as_images import UNLEARN, suli
from key_pair import key_pair
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.checkpoint_files import CARD, SIGNATURE
from benchmark_adapters.deletion.receipt import read_receipt
from benchmark_adapters.deletion.signature import (
    PASSWORD,
    signature_checks,
    signer_of,
    signing_with,
)

NET = "ada/net"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return key_pair(tmp_path_factory.mktemp("keys"))


def signature(folder, public_key):
    checks = signature_checks(folder, read_receipt(folder), signer_of(public_key, None, None))
    return next(iter(checks))


def verified(source, *more, code=0):
    done = suli("receipt", "verify", source, "--allow-unchecked", "--json", *more, code=code)
    return {check["what"]: check for check in json.loads(done.stdout)}


def test_a_request_is_signed_and_verified_offline(original, digits, keys, tmp_path, monkeypatch):
    private, public = keys
    out = tmp_path / "out"
    suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "three",
         "--method", "suli", "--output", out, "--sign", private)  # fmt: skip
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("it asked the network"))
    checks = verified(out, "--public-key", public)
    assert checks["signature"]["state"] == "matches"
    # The OpenSSF's own tool verifies it as well.
    from model_signing.verifying import Config

    Config().use_elliptic_key_verifier(public_key=public).verify(out, out / SIGNATURE)


def test_another_key_and_an_altered_file_are_caught(checkpoint, keys, tmp_path):
    signing_with(keys[0])(checkpoint)
    assert signature(checkpoint, keys[1]).state == "matches"
    other = key_pair(tmp_path / "other")[1]
    check = signature(checkpoint, other)
    assert check.state == "differs" and "Key mismatch" in check.detail
    receipt = checkpoint / "unlearning.json"
    receipt.write_text(receipt.read_text() + " ")
    check = signature(checkpoint, keys[1])
    assert check.state == "differs" and "unlearning.json" in check.detail


def test_a_signature_of_fewer_files_is_caught(checkpoint, keys):
    from model_signing.hashing import Config as Hashing
    from model_signing.signing import Config

    less = Hashing().set_ignored_paths(paths=["model.safetensors", "README.md", SIGNATURE])
    signer = Config().use_elliptic_key_signer(private_key=keys[0]).set_hashing_config(less)
    signer.sign(checkpoint, checkpoint / SIGNATURE)
    check = signature(checkpoint, keys[1])
    assert check.state == "differs" and check.detail == "it does not cover model.safetensors"


def test_who_signed_must_be_said_and_an_unsigned_one_is_none_that_was(checkpoint, keys):
    said = suli("receipt", "verify", checkpoint, "--public-key", keys[1], code=1)
    assert "differs      signature: it is not signed" in said.stdout
    signing_with(keys[0])(checkpoint)
    said = suli("receipt", "verify", checkpoint, code=1)
    assert "not checked  signature: say who should have signed: --public-key" in said.stdout
    assert "signature" in said.stderr


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--identity", "ada@example.org"), "--identity and --issuer go together"),
        (("--identity", "a", "--issuer", "b", "--public-key", "k"), "say who signed, in one way"),
    ],
)
def test_a_signer_is_named_in_one_way(options, why, checkpoint):
    assert why in suli("receipt", "verify", checkpoint, *options, code=2).stderr


def test_a_sigstore_identity_without_a_network_is_one_line(checkpoint, keys, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    signing_with(keys[0])(checkpoint)
    who = ("--identity", "ada@example.org", "--issuer", "https://accounts.example.org")
    check = verified(checkpoint, *who)["signature"]
    assert check["state"] == "not checked" and "it can't be verified: " in check["detail"]
    said = suli("publish", checkpoint, NET, "--sign-identity", code=1).stderr
    (line,) = said.splitlines()
    assert line.startswith("Error: cannot sign with a sigstore identity: ")


def test_a_key_that_can_not_sign_is_told_before_anything_is_done(
    original, digits, tmp_path, monkeypatch
):
    ask = (*UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "three",
           "--method", "suli", "--output", tmp_path / "out", "--sign")  # fmt: skip
    said = suli(*ask, tmp_path / "none.pem", code=1).stderr
    assert f"cannot sign with {tmp_path / 'none.pem'}: " in said.splitlines()[-1]
    private, public = key_pair(tmp_path / "locked", password="sesame")
    said = suli(*ask, private, code=1).stderr.splitlines()[-1]
    assert "Password was not given" in said and not (tmp_path / "out").exists()
    monkeypatch.setenv(PASSWORD, "sesame")
    suli(*ask, private)
    assert signature(tmp_path / "out", public).state == "matches"


def test_without_the_extra_one_line_says_what_to_install(checkpoint, keys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "model_signing", None)
    said = suli("publish", checkpoint, NET, "--sign", keys[0], code=1).stderr
    assert "signatures need the extra `sign`: pip install 'suli-plugin[sign]'" in said


def test_a_signature_outlives_publishing_elsewhere(hub, checkpoint, keys):
    suli("publish", checkpoint, NET, "--sign", keys[0])
    files = hub.repo("model", NET).files()
    assert SIGNATURE in files and b'load_original("ada/net")' in files[CARD]
    checks = verified(NET, "--public-key", keys[1])
    assert checks["signature"]["state"] == checks[CARD]["state"] == "matches"
    suli("publish", checkpoint, "ada/second")
    assert verified("ada/second", "--public-key", keys[1])["signature"]["state"] == "matches"
