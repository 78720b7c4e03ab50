"""What is there of a harness, and one line that says how to get what is not."""

from __future__ import annotations

import importlib
import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType


def harness_module(name: str, hint: str) -> ModuleType:
    """A module of a harness. Raises ImportError in one line with the hint how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        harness = name.partition(".")[0]
        raise ImportError(f"{harness} can't be imported ({error}); {hint}") from None


def installed_version(distribution: str) -> str | None:
    """The version of an installed distribution, None if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def clone_on_path(module: str, file: str) -> str | None:
    """The folder of a harness that is run from its clone, None if it is not on `sys.path`.

    file: one that it must have, for a package of the same name may be another one.
    """
    # The parent package alone is looked up: importing a harness takes seconds or writes files.
    spec = importlib.util.find_spec(module)
    folders = (spec.submodule_search_locations or ()) if spec else ()
    return next((str(folder) for folder in folders if Path(folder, file).exists()), None)
