"""Sign a checkpoint, and verify who signed it: the OpenSSF's model-signing.

The signature covers the receipt and every file that the receipt has a hash of, weights and config
among them. README.md is left out, since its last section names the place that it is published
in; the receipt has a hash of all the rest of it.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark_adapters.deletion.check import Check, unknown
from benchmark_adapters.deletion.checkpoint_files import CARD, RECEIPT, SIGNATURE
from benchmark_adapters.originals.checkpoints import WEIGHTS
from suli_plugin.failure import Failure

# Holds the password of an encrypted private key: what is on a command line, others can read.
PASSWORD = "SULI_KEY_PASSWORD"
_WHAT = "signature"


@dataclass(frozen=True)
class Signer:
    """Who must have signed.

    Either whoever has the private key to `public_key`, a PEM file, or a sigstore `identity`, an
    e-mail address or a workflow, that `issuer`, a URL, vouches for.
    """

    public_key: Path | None = None
    identity: str | None = None
    issuer: str | None = None


def signer_of(public_key: Path | None, identity: str | None, issuer: str | None) -> Signer | None:
    """The signer that the options name, None if they name none. Raises ValueError for two."""
    if (identity is None) != (issuer is None):
        raise ValueError("--identity and --issuer go together: who signed, and who vouches for it")
    if public_key is not None and identity is not None:
        raise ValueError("say who signed, in one way: --public-key, or --identity with --issuer")
    if public_key is None and identity is None:
        return None
    return Signer(public_key, identity, issuer)


def signing_with(key: Path | None, *, identity: bool = False) -> Callable[[Path], None]:
    """What signs a whole checkpoint folder. key: a private key on an elliptic curve, PEM.

    identity: with the sigstore identity of whoever signs. Nothing is signed where neither is
    given. Raises ValueError for a key that can't be used, before anything is done.
    """
    if key is not None and identity:
        raise ValueError("sign in one way: --sign KEY or --sign-identity")
    if key is None and not identity:
        return lambda folder: None
    with _failures(f"cannot sign with {key or 'a sigstore identity'}"):
        _library()
        from model_signing.signing import Config

        config = Config()
        if key is None:
            config.use_sigstore_signer(use_ambient_credentials=True)
        else:
            password: Any = os.environ.get(PASSWORD, "").encode() or None
            config.use_elliptic_key_signer(private_key=key, password=password)
        config.set_hashing_config(_covered())

    def sign(folder: Path) -> None:
        with _failures("cannot sign"):
            config.sign(folder, folder / SIGNATURE)

    return sign


def signature_checks(
    folder: Path, receipt: Mapping[str, Any], signer: Signer | None
) -> Iterator[Check]:
    """Whether the signer signed this receipt and the files that it names; none if unsigned."""
    there = (folder / SIGNATURE).is_file()
    if signer is None:
        if there:
            yield unknown(_WHAT, "say who should have signed: --public-key, or --identity")
        return
    if not there:
        yield Check(_WHAT, "differs", "it is not signed")
        return
    try:
        with _failures("it can't be verified"):
            _verify(folder, signer)
    except Failure as error:
        lost = signer.identity is not None and not isinstance(error.__cause__, ValueError)
        yield unknown(_WHAT, str(error)) if lost else Check(_WHAT, "differs", str(error))
        return
    left_out = sorted({RECEIPT, WEIGHTS, *receipt["files"]} - _signed(folder))
    if left_out:
        yield Check(_WHAT, "differs", f"it does not cover {', '.join(left_out)}")
    else:
        yield Check(_WHAT, "matches", f"by {signer.identity or signer.public_key}")


def _verify(folder: Path, signer: Signer) -> None:
    _library()
    from model_signing.verifying import Config

    config = Config().set_ignore_unsigned_files(True).set_hashing_config(_covered())
    if signer.public_key is not None:
        config.use_elliptic_key_verifier(public_key=signer.public_key)
    else:
        config.use_sigstore_verifier(
            identity=signer.identity or "", oidc_issuer=signer.issuer or ""
        )
    config.verify(folder, folder / SIGNATURE)


def _covered() -> Any:
    """What is signed: all files but card and signature; in the Hub's cache they are links."""
    from model_signing.hashing import Config

    return Config().set_ignored_paths(paths=[CARD, SIGNATURE]).set_allow_symlinks(True)


def _signed(folder: Path) -> set[str]:
    """The files that a signature, which holds, is of."""
    bundle = json.loads((folder / SIGNATURE).read_text(encoding="utf-8"))
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    return {each["name"] for each in statement["predicate"]["resources"]}


def _library() -> None:
    try:
        import model_signing  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise Failure(
            "signatures need the extra `sign`: pip install 'suli-plugin[sign]'"
        ) from error


@contextmanager
def _failures(what: str) -> Iterator[None]:
    """Whatever the library, a key file or the network raise, in one line."""
    try:
        yield
    except Failure:
        raise
    except Exception as error:
        # Keys, bundles, TUF and the OIDC flow each have errors of their own.
        line = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise Failure(f"{what}: {line}") from error
