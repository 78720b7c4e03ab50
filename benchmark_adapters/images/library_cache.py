"""What `datasets` keeps of a folder, and folders under names that it can read."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path

# Taken for patterns, for links in a chain, for somebody's home.
_MISREAD = re.compile(r"[\[\]*?{}~]|::")
_ODD = re.compile(r"[\[\]*?{}~:%]")


def cache_of(folder: Path) -> str:
    """A cache folder of the library's that only these files have.

    Its own cache (datasets 5.2) takes two folders of one name, or one whose files have changed,
    for the same dataset where README.md has configs, and gives the data of the first.
    """
    digest = hashlib.sha256(str(folder).encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            state = path.stat()
            digest.update(f"\0{path}\0{path.resolve()}\0{state.st_size}\0".encode())
            digest.update(str(state.st_mtime_ns).encode())
    return str(_own_cache() / digest.hexdigest()[:32])


def plainly_named(folder: Path) -> Path:
    """The folder, or one of links to its files if the library would misread some of their paths.

    Names are percent-encoded there where it is needed.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if not any(_MISREAD.search(str(path)) for path in (folder, *files)):
        return folder
    links = Path(cache_of(folder)) / "plainly-named"
    for path in files:
        parts = [_plain(part) for part in path.relative_to(folder).parts]
        link = links.joinpath(*parts)
        link.parent.mkdir(parents=True, exist_ok=True)
        # Another process may have made it.
        with suppress(FileExistsError):
            link.symlink_to(path)
    return links.resolve()


def _own_cache() -> Path:
    from datasets import config

    return Path(config.HF_DATASETS_CACHE) / "suli-plugin"


def _plain(name: str) -> str:
    return _ODD.sub(lambda odd: f"%{ord(odd[0]):02X}", name)
