"""What helps where a cache of the Hub's libraries can't be written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_UNWRITABLE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT),
    *(errno.ENOSPC, errno.EDQUOT),
}
# What moves one cache alone, and wins over HF_HOME.
_SINGLE = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE", "HF_ASSETS_CACHE")


def cache_advice(error: OSError) -> str:
    """The end of a message that names what to set; nothing where it is no cache that fails."""
    from huggingface_hub import constants

    place = error.filename
    if error.errno not in _UNWRITABLE or not isinstance(place, str):
        return ""
    named = [name for name in _SINGLE if os.environ.get(name) and _holds(os.environ[name], place)]
    if not named and not _holds(constants.HF_HOME, place):
        return ""
    return f"; this is a cache of the Hub's libraries: set {(*named, 'HF_HOME')[0]} to a folder" + (
        " that can be written (or unset it, and set HF_HOME)" if named else " that can be written"
    )


def _holds(cache: str, place: str) -> bool:
    """Whether the place is in the cache, or the cache can't be made for want of the place."""
    folder, failed = (Path(os.path.abspath(os.path.expanduser(of))) for of in (cache, place))
    return failed.is_relative_to(folder) or folder.is_relative_to(failed)
