"""Files of a repository that may hold a model's weights, told by their names and first bytes."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from benchmark_adapters.command_line.without_tokens import Token

# Of weights, of whole models, and of archives that may hold either; without regard to case.
_SUFFIXES = frozenset(
    (
        *(".safetensors", ".bin", ".th", ".pth", ".pt", ".ptl", ".pte", ".ckpt", ".torchscript"),
        *(".pkl", ".pickle", ".joblib", ".npz", ".npy", ".h5", ".hdf5", ".keras", ".msgpack"),
        *(".onnx", ".pb", ".tflite", ".mlmodel", ".mlpackage", ".engine", ".plan", ".ot"),
        *(".gguf", ".ggml", ".llamafile", ".pdparams", ".params", ".caffemodel", ".weights"),
        *(".mar", ".nemo", ".distcp", ".data"),
        *(".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar"),
    )
)
# Names parts of weights, and figures of a model that is gone.
_INDEX, _RESULTS = ".index.json", ".eval_results"
_FIRST = 512
# Pictures, sound and documents: PNG, JPEG, GIF, WebP and others in RIFF, BMP, PDF, Ogg, MP3.
_MEDIA = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"%PDF", b"OggS", b"ID3")


def left_behind(head: Any, keep: Iterable[str], token: Token = None) -> list[str]:
    """The files that a commit would leave with what another model knew or scored, sorted.

    head: what the Hub says of a model repository now, with its files. keep: the paths that the
    commit writes. A file counts by its name, or if its first bytes are neither text nor a
    picture, sound or document.
    """
    written = set(keep)
    names = [file.rfilename for file in head.siblings if file.rfilename not in written]
    return sorted(
        name for name in names if _by_name(name) or not _is_harmless(_start(head, name, token))
    )


def _by_name(name: str) -> bool:
    path, lower = PurePosixPath(name), name.lower()
    return (
        lower.endswith(_INDEX)
        or path.parts[0] == _RESULTS
        # Any: a file of weights may be split, model.safetensors.part1, pytorch_model.bin.00.
        or any(suffix.lower() in _SUFFIXES for suffix in path.suffixes)
    )


def _is_harmless(start: bytes) -> bool:
    if start.startswith(_MEDIA) or start[4:8] == b"ftyp":
        return True
    try:
        # The first bytes may end in the middle of a character, which this decoder waits for.
        text = getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return "\0" not in text


def _start(head: Any, name: str, token: Token) -> bytes:
    """The first bytes of a file at a commit."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # lazily exported
        build_hf_headers,
        get_session,
        hf_raise_for_status,
    )

    headers = {**build_hf_headers(token=token), "Range": f"bytes=0-{_FIRST - 1}"}
    answer = get_session().get(hf_hub_url(head.id, name, revision=head.sha), headers=headers)
    # An empty file has no such range.
    if answer.status_code == 416:
        return b""
    hf_raise_for_status(answer)
    return bytes(answer.content[:_FIRST])
