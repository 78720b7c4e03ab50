"""Splits in a folder or a Hub repository: one config each, its index beside its description.

README.md            the configs, so that `datasets` loads an index by its name
NAME/split.json      recipe, base with its commit, hash of every part, duplicates
NAME/train.parquet   id and part of every sample of the base's training split
NAME/test.parquet    the same for its test split, if there is one
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_adapters.command_line.main_process import from_main
from benchmark_adapters.command_line.without_tokens import Token
from benchmark_adapters.hub.access import HubSource, parse_source
from benchmark_adapters.hub.snapshot import snapshot
from benchmark_adapters.splits.copies import Duplicate
from benchmark_adapters.splits.recipes import PARTS, Part
from benchmark_adapters.splits.split import FORMAT, Role, Split

if TYPE_CHECKING:
    from accelerate import Accelerator

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_ROLES: tuple[Role, ...] = ("train", "test")
_CARD = """---
tags:
- machine-unlearning
---

# Forget/retain splits for machine unlearning

Each config is one split: for every sample of its base dataset an `id` and its `part` (forget,
retain, reference, test_forget, test_retain). The images stay in the base dataset; `split.json`
names its commit and has the SHA-256 of every part's ids, labels and pixels.

```python
from benchmark_adapters.splits.verified import load_split

split = load_split("{source}", "{name}")  # checks every hash
images = split.image_sets()
```
"""


@dataclass(frozen=True)
class StoredSplit:
    """A split as it is stored, its base not read.

    described: the content of `split.json`. index: for each role, (id, part) of every sample.
    place, revision: where it was read, and at which commit if from the Hub.
    """

    described: Mapping[str, Any]
    index: Mapping[Role, tuple[list[str], list[Part]]]
    place: str
    revision: str | None = None

    @property
    def name(self) -> str:
        """The name of the split, which is that of its config and its folder."""
        return str(self.described["name"])


def save_split(split: Split, folder: str | Path, *, force: bool = False) -> Path:
    """Write the split as `folder/NAME`, whole or not at all; other splits there stay.

    Raises ValueError for a name that is no folder's, and for one that is there already unless
    `force`.
    """
    check_name(split.name)
    top = Path(folder)
    target = top / split.name
    if target.exists() and not force:
        raise ValueError(f"{target} is there already; choose another name, or force it")
    top.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=top, prefix=f".{split.name}-") as scratch:
        made, old = Path(scratch) / "new", Path(scratch) / "old"
        made.mkdir()
        for name, content in split_files(split).items():
            (made / name).write_bytes(content)
        if target.exists():
            target.rename(old)
        made.rename(target)
        readme = Path(scratch) / "README.md"
        before = (top / "README.md").read_text() if (top / "README.md").is_file() else None
        readme.write_text(card_with(before, split, top.resolve().name))
        os.replace(readme, top / "README.md")
        shutil.rmtree(old, ignore_errors=True)
    return target


def split_files(split: Split, *, hide_path: bool = False) -> dict[str, bytes]:
    """The files of a split by name. hide_path: of a base folder leave only its name."""
    described = split.describe()
    if hide_path and "folder" in described["base"]:
        described["base"]["folder"] = Path(described["base"]["folder"]).name
    files = {"split.json": (json.dumps(described, indent=1) + "\n").encode()}
    for role in split.bases:
        files[f"{role}.parquet"] = _index_bytes(split, role)
    return files


def card_with(before: str | None, split: Split, source: str) -> str:
    """The README.md, old or new, with the split among its configs."""
    from huggingface_hub import DatasetCard

    card = DatasetCard(before or _CARD.format(source=source, name=split.name))
    files = [
        {"split": role, "path": f"{split.name}/{role}.parquet"}
        for role in _ROLES
        if role in split.bases
    ]
    others = [c for c in card.data.get("configs") or [] if c.get("config_name") != split.name]
    card.data["configs"] = [*others, {"config_name": split.name, "data_files": files}]
    card.data["tags"] = sorted({*(card.data.get("tags") or []), "machine-unlearning"})
    return str(card)


def split_names(source: str | Path, *, token: Token = None) -> tuple[str, ...]:
    """The names of the splits in a folder or repository, sorted; none if it holds no split."""
    return tuple(sorted(_found(source, token)[0]))


def read_split(
    source: str | Path,
    name: str | None = None,
    *,
    accelerator: Accelerator | None = None,
    token: Token = None,
) -> StoredSplit:
    """A stored split without its base; name: needed where there are several.

    source: a folder or `org/name[@revision]`, resolved to its commit once. Raises ValueError
    for a split that is not there, naming those that are, or that is not whole.
    """
    found, revision = from_main(accelerator, lambda: _found(source, token))
    if name is None and len(found) == 1:
        name = next(iter(found))
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise ValueError(f"{source}: which split? Got {name!r}; the splits there: {known}")
    folder = found[name]
    if revision is not None:
        pinned = HubSource(str(source).partition("@")[0], revision)
        folder = from_main(
            accelerator, lambda: snapshot(pinned, patterns=[f"{name}/*"], token=token)[0]
        ) / str(name)
    described = _description(folder)
    roles = [role for role in _ROLES if role in described["base"]["splits"]]
    index = {role: _read_index(folder / f"{role}.parquet") for role in roles}
    return StoredSplit(described, index, str(source), revision)


def check_name(name: str) -> None:
    """Raise ValueError for a name that can't be a config's and a folder's."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"a split's name has letters, digits, _ . and -, got {name!r}")


def _found(source: str | Path, token: Token) -> tuple[dict[str, Path], str | None]:
    """The folders of the splits by name, and the commit if they are on the Hub."""
    place, revision = parse_source(source), None
    if isinstance(place, HubSource):
        place, revision = snapshot(place, patterns=["*/split.json"], token=token)
    elif (place / "split.json").is_file():
        return {place.name: place}, None
    return {path.parent.name: path.parent for path in place.glob("*/split.json")}, revision


def _index_bytes(split: Split, role: Role) -> bytes:
    import pyarrow
    from pyarrow import parquet

    parts = [""] * len(split.bases[role])
    for part, rows in split.rows.items():
        if split.roles[part] == role:
            for row in rows.tolist():
                parts[row] = part
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table({"id": split.bases[role].ids, "part": parts}), sink)
    return bytes(sink.getvalue())


def _read_index(path: Path) -> tuple[list[str], list[Part]]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path, columns=["id", "part"])
        ids, parts = table.column("id").to_pylist(), table.column("part").to_pylist()
    except (pyarrow.ArrowInvalid, KeyError, FileNotFoundError) as error:
        raise ValueError(f"{path} is no index of ids and parts: {error}") from error
    unknown = set(parts) - set(PARTS)
    if unknown:
        raise ValueError(f"{path} names a part {unknown.pop()!r}; the parts: {', '.join(PARTS)}")
    return ids, parts


def _description(folder: Path) -> Mapping[str, Any]:
    path = folder / "split.json"
    try:
        described: Mapping[str, Any] = json.loads(path.read_bytes())
        form = described["format"]
        if form == FORMAT:
            _touch_all(described)
    except (ValueError, KeyError, TypeError, AttributeError, FileNotFoundError) as error:
        raise ValueError(f"{path} does not describe a split: {error!r}") from error
    if form != FORMAT:
        raise ValueError(f"{path}: expected the format {FORMAT!r}, got {form!r}")
    return described


def _touch_all(described: Mapping[str, Any]) -> None:
    """Meet a KeyError or TypeError here, where the file is named, and not later."""
    for key in ("name", "recipe", "reference", "sha256"):
        described[key]
    base = described["base"]
    for key in ("config", "image_column", "label_column", "id_column"):
        base[key]
    base["splits"]["train"], base["revision" if "repository" in base else "folder"]
    for part in described["parts"].values():
        part["sha256"][:12], int(part["count"]), _ROLES.index(part["of"])
    for copy in described["duplicates"]:
        Duplicate(**copy)
