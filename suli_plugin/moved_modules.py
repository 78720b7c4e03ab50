"""Modules that a README or an entry point once named, under the names they had there."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from types import CodeType, ModuleType
from typing import Any, cast


def keep_old_names(moved: Mapping[str, str]) -> None:
    """Let `import OLD` and `python -m OLD` give the module NEW. moved: new names by old ones."""
    sys.meta_path.append(_OldNames(moved))


class _OldNames(MetaPathFinder):
    """Asked last, so that no module that is there is ever shadowed."""

    def __init__(self, moved: Mapping[str, str]) -> None:
        self.moved = moved

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        new = self.moved.get(fullname)
        there = None if new is None else find_spec(new)
        if there is None or there.origin is None:
            return None
        return spec_from_file_location(fullname, there.origin, loader=_Loader(there))


class _Loader(InspectLoader):
    """Gives the very module of the new name, not a second copy with classes of its own."""

    def __init__(self, there: ModuleSpec) -> None:
        self.there = there
        self.inner = cast(InspectLoader, there.loader)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return importlib.import_module(self.there.name)

    def exec_module(self, module: ModuleType) -> None:
        """It was executed under its new name, which it keeps."""
        module.__spec__ = self.there

    def get_code(self, fullname: str) -> CodeType | None:
        """What `python -m` runs."""
        return self.inner.get_code(self.there.name)

    def get_source(self, fullname: str) -> str | None:
        return self.inner.get_source(self.there.name)
