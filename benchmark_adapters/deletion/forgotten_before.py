"""What an original was made to forget by earlier requests, as its own files say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark_adapters.deletion.checkpoint_files import RECEIPT, RECEIPT_LIMIT
from benchmark_adapters.deletion.wording import counted
from benchmark_adapters.hub.access import HubError, HubSource
from benchmark_adapters.hub.files import hub_files
from benchmark_adapters.originals.load import LoadedOriginal
from benchmark_adapters.records.strict_json import strict_json
from suli_plugin.failure import Failure


@dataclass(frozen=True)
class EarlierRequest:
    """What one request forgot, with which method.

    count, sha256: of its forget set. classes, class_names: empty for instance-wise. ids: of the
    samples instance-wise, None where they can't be told.
    """

    method: str
    count: int
    sha256: str
    classes: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    ids: tuple[str, ...] | None = ()

    def as_dict(self) -> dict[str, Any]:
        """The request as JSON has it."""
        made = asdict(self)
        return {name: list(of) if isinstance(of, tuple) else of for name, of in made.items()}

    @property
    def words(self) -> str:
        """What was forgotten, in words."""
        kind = "classes" if len(self.classes) > 1 else "class"
        names = ", ".join(self.class_names)
        return f"{kind} {names}" if self.classes else counted(self.count, "sample")


@dataclass(frozen=True)
class ForgottenBefore:
    """The earlier requests of an original, the oldest first; none of most originals.

    receipt: SHA-256 of the file of the original's own receipt, None where there is none.
    """

    requests: tuple[EarlierRequest, ...] = ()
    receipt: str | None = field(default=None, compare=False)

    @property
    def classes(self) -> tuple[int, ...]:
        """The classes that were forgotten, ascending."""
        return tuple(sorted({label for request in self.requests for label in request.classes}))

    @property
    def untold(self) -> int:
        """How many samples were forgotten by ids that can't be told any more."""
        return sum(request.count for request in self.requests if request.ids is None)

    @property
    def announcement(self) -> str:
        """One line: what was to be forgotten, and what becomes of it."""
        told = ", ".join(f"{request.words} ({request.method})" for request in self.requests)
        untold = (
            f"; warning: the ids of {self.untold} of these samples can't be told, so they may be "
            f"among what is kept"
        )
        return (
            f"forgotten earlier: {told}; no target teaches it again, and it is kept out of retain, "
            f"reference and test data and, if it is there, measured on its own"
            f"{untold * bool(self.untold)}"
        )

    def with_ids(self, known: Mapping[str, tuple[str, ...]]) -> ForgottenBefore:
        """The same with ids where they were open. known: ids by the hash of their forget set."""
        requests = (
            replace(each, ids=known.get(each.sha256)) if each.ids is None else each
            for each in self.requests
        )
        return replace(self, requests=tuple(requests))

    def as_list(self) -> list[dict[str, Any]]:
        """The requests as JSON has them."""
        return [request.as_dict() for request in self.requests]

    @classmethod
    def from_list(cls, values: Sequence[Mapping[str, Any]]) -> ForgottenBefore:
        """What `as_list` gave. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(tuple(_request(value) for value in values))


NOTHING = ForgottenBefore()


def forgotten_before(original: LoadedOriginal) -> ForgottenBefore:
    """What config.json and the receipt beside it say; nothing for weights that forgot nothing.

    Raises Failure for an `unlearning` block that can't be understood.
    """
    if original.config.unlearning is None:
        return NOTHING
    requests = _checked_requests(original)
    receipt, sha256 = _own_receipt(original)
    return replace(requests.with_ids(_ids(receipt)), receipt=sha256)


def block_of(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What config.json says of earlier requests: a receipt's, without the ids."""
    return [
        {name: of for name, of in request.items() if name != "ids"}
        for request in facts["forgotten_before"]
    ]


def _checked_requests(original: LoadedOriginal) -> ForgottenBefore:
    """The requests of config.json, ids left open."""
    try:
        requests = _requests(original.config.unlearning, original.config.classes)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Failure(
            f"{original.source}: its config.json has an `unlearning` block that does not say what "
            f"was forgotten ({error!r:.100}); nothing can be kept from coming back"
        ) from error
    outputs = original.config.num_classes
    outside = [label for label in requests.classes if not 0 <= label < outputs]
    if outside:
        raise Failure(
            f"{original.source}: its config.json says that class {outside[0]} was forgotten, and "
            f"it has {outputs} outputs"
        )
    return requests


def _requests(block: Mapping[str, Any], names: Sequence[str] | None) -> ForgottenBefore:
    """The requests of a block."""
    classes = tuple(int(label) for label in block["forget_classes"])
    own = EarlierRequest(
        method=str(block["method"]),
        count=int(block["forget_count"]),
        sha256=str(block["forget_set_hash"]),
        classes=classes,
        class_names=tuple(
            names[label] if names and 0 <= label < len(names) else str(label) for label in classes
        ),
    )
    earlier = ForgottenBefore.from_list(block.get("forgotten_before", [])).requests
    return ForgottenBefore(
        tuple(each if each.classes else replace(each, ids=None) for each in (*earlier, own))
    )


def _request(value: Mapping[str, Any]) -> EarlierRequest:
    ids = value.get("ids", ())
    return EarlierRequest(
        method=str(value["method"]),
        count=int(value["count"]),
        sha256=str(value["sha256"]),
        classes=tuple(int(label) for label in value["classes"]),
        class_names=tuple(str(name) for name in value["class_names"]),
        ids=None if ids is None else tuple(str(name) for name in ids),
    )


def _own_receipt(original: LoadedOriginal) -> tuple[Mapping[str, Any], str | None]:
    """The receipt of these very weights that is beside them, and its file's hash, if any is."""
    try:
        data = receipt_beside(original)
        receipt = strict_json(data, RECEIPT, limit=RECEIPT_LIMIT, hidden=True)
        if receipt["result"]["sha256"] == original.sha256:
            return receipt, hashlib.sha256(data).hexdigest()
    except HubError:
        # Not to be had just now is not absent.
        raise
    except (KeyError, TypeError, ValueError):
        pass
    return {}, None


def _ids(receipt: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Of each instance-wise forget set, by its hash, the ids that the receipt lists."""
    try:
        parts = [receipt["forget_set"], *receipt["forgotten_before"]]
        return {part["sha256"]: tuple(part["ids"]) for part in parts if part["ids"]}
    except (KeyError, TypeError, ValueError):
        return {}


def receipt_beside(original: LoadedOriginal) -> bytes:
    """The receipt's bytes beside some weights. Raises ValueError if there is none to be read."""
    if original.commit is not None:
        files = hub_files(HubSource(original.source, original.commit), None)
        if RECEIPT not in files.names:
            raise ValueError(f"{files.where} has no {RECEIPT}")
        return files.read(RECEIPT)
    place = Path(original.source).expanduser()
    try:
        return ((place if place.is_dir() else place.parent) / RECEIPT).read_bytes()
    except OSError as error:
        raise ValueError(f"{RECEIPT} can't be read: {error.strerror}") from error
