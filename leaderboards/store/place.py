"""What a command's argument names: a store in a folder or on the Hub, and who acts on it."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

from benchmark_adapters.hub.access import REPOSITORY
from leaderboards.claims.forms import check_form
from leaderboards.store.files import FolderFiles, StoreFiles
from leaderboards.store.hub import HubStore
from suli_plugin.failure import Failure


def hub_store(place: str) -> HubStore | None:
    """The store on the Hub that is meant, None for a folder.

    A folder comes first if it is there; else `org/name` is a repository.
    """
    if Path(place).is_dir() or not REPOSITORY.fullmatch(place):
        return None
    return HubStore(place)


def store_files(store: HubStore | None, place: str, revision: str = "main") -> StoreFiles:
    """The files of either. Raises Failure for a folder that is not there."""
    if store is not None:
        return store.files(revision)
    if not Path(place).is_dir():
        raise Failure(f"there is no folder {place!a:.200}, and so no store in it")
    return FolderFiles(Path(place))


def acting_as(store: HubStore | None, name: str | None) -> str:
    """Who acts: the login on the Hub, else the name given, else that of the login here.

    Raises ValueError for a name that is not the login's, or none at all.
    """
    if store is None:
        return check_form("submitter", name if name is not None else getpass.getuser())
    if name not in (None, store.me):
        raise ValueError(f"you are logged in as {store.me}, not {name!a:.80}")
    return check_form("submitter", store.me)


def run_options(
    folder: Path, data: str | None, original: str | None
) -> tuple[str | None, str | None]:
    """Where data and original are, if not said: where the runs in a folder had them."""
    for path in sorted(folder.rglob("[0-9]*-*.json")):
        try:
            options = json.loads(path.read_text(encoding="utf-8"))["options"]
            return data or options.get("data"), original or options.get("original")
        except (AttributeError, KeyError, OSError, TypeError, ValueError):
            # Whatever is wrong with it is said when the records are read.
            continue
    return data, original
