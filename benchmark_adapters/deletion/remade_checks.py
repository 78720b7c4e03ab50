"""What original and data say of a receipt: its facts made again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.deletion.check import Check, differences, hashes, same_text, unknown
from benchmark_adapters.deletion.data import DeletionData, load_deletion_data
from benchmark_adapters.deletion.forgotten_before import ForgottenBefore, forgotten_before
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.receipt import options_of, parts_of
from benchmark_adapters.deletion.receipt_fields import SETS, WITHOUT_PARENT
from benchmark_adapters.deletion.request import DeletionRequest, make_request
from benchmark_adapters.deletion.requests_file import ListedRequest
from benchmark_adapters.deletion.steps import listed_of
from benchmark_adapters.deletion.unlearned_checkpoint import handed_on, unlearned_config
from benchmark_adapters.images.sample_names import OtherContent
from benchmark_adapters.originals.checkpoints import CONFIG
from benchmark_adapters.originals.load import LoadedOriginal, load_original
from benchmark_adapters.records.provenance import state_hash
from benchmark_adapters.records.record import canonical
from benchmark_adapters.splits.split import SplitMismatch
from suli_plugin.failure import Gone
from suli_plugin.registry import Registry

Receipt = Mapping[str, Any]
# Where original and data are, of which another place has the same.
PARENT = "parent's receipt"
_ORIGINAL_PLACE = ("original.source", "original.commit", "original.folder", "original.weights_file")
_EARLIER_SETS = tuple(name for name in SETS if "forgotten_before" in name)
_DATA_PLACE = ("dataset.source", "dataset.commit", "dataset.folder", "dataset.config",
               "dataset.options.dataset")  # fmt: skip


@dataclass(frozen=True)
class Whereabouts:
    """Where original and data are now, None where the receipt says."""

    model: str | None = None
    dataset: str | None = None

    @property
    def may_differ(self) -> tuple[str, ...]:
        """The fields of a receipt that only say where original and data were."""
        return (_ORIGINAL_PLACE if self.model else ()) + (_DATA_PLACE if self.dataset else ())


def original_check(receipt: Receipt, model: str | None) -> tuple[LoadedOriginal | None, Check]:
    """The original, if it is that of the receipt."""
    told, what = receipt["original"], "original"
    if model is None and told["folder"]:
        return None, unknown(what, f"it is a folder {told['source']!r}; say where with --model")
    place = model or f"{told['source']}@{told['commit']}"
    try:
        loaded = load_original(place, **told["given"])
    except (TypeError, ValueError) as error:
        return None, unknown(what, str(error))
    if loaded.sha256 != told["sha256"]:
        return None, hashes(f"{what} ({loaded.weights_file})", told["sha256"], loaded.sha256)
    said = hashes(what, told["state_hash"], state_hash(loaded.model), "state hash")
    return loaded if said.state == "matches" else None, said


def earlier_check(
    receipt: Receipt, original: LoadedOriginal | None
) -> tuple[ForgottenBefore, list[Check]]:
    """What was forgotten earlier, and whether the original says the same; the receipt's without it.

    Ids that the original's own files do not list any more are the receipt's, and not checked.
    """
    what, told = "forgotten earlier", ForgottenBefore.from_list(receipt["forgotten_before"])
    if original is None:
        return told, []
    try:
        own = forgotten_before(original)
    except (OSError, ValueError) as error:
        return told, [unknown(what, str(error))]
    found = own.with_ids({each.sha256: each.ids for each in told.requests if each.ids})
    if found != told:
        wrong = differences(told.as_list(), found.as_list(), "forgotten_before")
        return found, [Check(what, "differs", "; ".join(wrong))]
    parent = parent_check(receipt, own.receipt)
    if found != own:
        lost = unknown(what, f"no receipt beside the original lists {own.untold} ids")
        return found, [lost, *parent]
    words = ", ".join(request.words for request in told.requests)
    return found, [*[Check(what, "matches", words)] * bool(words), *parent]


def parent_check(receipt: Receipt, found: str | None) -> list[Check]:
    """Whether the receipt beside the original is the parent. found: the hash of its file."""
    what, told = PARENT, receipt.get("parent")
    if not receipt["forgotten_before"]:
        return []
    if receipt["format"] == WITHOUT_PARENT:
        why = f"none named, as in all of {WITHOUT_PARENT}; the original's weights are told by hash"
        return [Check(what, "matches", why)]
    if found is None and told is None:
        return [Check(what, "matches", "the original had none, and has none")]
    if found is None:
        return [unknown(what, f"no receipt beside the original has the hash {told!s:.12}...")]
    return [hashes(what, told, found)]


def data_checks(
    receipt: Receipt,
    dataset: str | None,
    model: LoadedOriginal | None,
    before: ForgottenBefore,
    accelerator: Accelerator,
) -> tuple[DeletionData | None, list[Check]]:
    """The data, if they are those of the receipt, and what was found out about each set.

    model: the original or the unlearned one, whose mean, deviation and classes the images get.
    before: what was forgotten earlier.
    """
    told = receipt["dataset"]
    if dataset is None and told["folder"]:
        name = told["options"]["dataset"]
        return None, [unknown("forget set", f"it is a folder {name!r}; say where with --dataset")]
    if model is None:
        return None, [unknown("forget set", "neither original nor checkpoint could be loaded")]
    data = _data(options_of(receipt, dataset), listed_of(receipt), model, before, accelerator)
    if isinstance(data, Check):
        return None, [data]
    if receipt["format"] == WITHOUT_PARENT:
        # Those looked for what was forgotten earlier in retain and test data alone.
        data = data.without({name for name in _EARLIER_SETS if name not in told["sets"]})
    checks = list(_sets(told["sets"], data))
    whole = all(check.state == "matches" for check in checks)
    return data if whole else None, checks


def _data(
    options: DataOptions,
    listed: Sequence[ListedRequest],
    model: LoadedOriginal,
    before: ForgottenBefore,
    accelerator: Accelerator,
) -> DeletionData | Check:
    """The data that there are now, or why there are none."""
    try:
        return load_deletion_data(
            options,
            mean=model.config.mean,
            std=model.config.std,
            classes=model.config.classes,
            preprocessing=model.config.preprocessing,
            before=before,
            listed=listed,
            accelerator=accelerator,
        )
    except Gone as error:
        return unknown("forget set", f"these data are gone: {error}")
    except (SplitMismatch, OtherContent) as error:
        return Check("forget set", "differs", str(error))
    except (OSError, TypeError, ValueError) as error:
        return unknown("forget set", str(error))


def _sets(told: Mapping[str, Any], data: DeletionData) -> Iterator[Check]:
    found = {str(name): value for name, value in data.hashes.items()}
    for name, of in told.items():
        place = data.places.get(name)  # type: ignore[call-overload]  # any text
        count = 0 if place is None else len(place.rows)
        if "forgotten_before" in name and count < of["count"]:
            # As it must be after a deletion.
            gone = f"these data are gone: {of['count'] - count} of {of['count']} images"
            yield unknown(f"{name} set", gone)
        elif name in found:
            yield hashes(f"{name} set", of["sha256"], found[name])
        else:
            yield Check(f"{name} set", "differs", "these data have no such set")
    for name in found:
        if name not in told:
            yield Check(f"{name} set", "differs", "the receipt has no hash of it")


def remade_request(
    receipt: Receipt, original: LoadedOriginal, data: DeletionData, registry: Registry
) -> DeletionRequest | Check:
    """The request that the receipt tells of, or why there can be none."""
    record = receipt["record"]
    name, told = record["method"].partition("@")[0], record["plugin"]
    if name not in registry.unlearners:
        return unknown(
            "method", f"{name} is not installed here; it is of {told['distribution']!r:.80}"
        )
    origin = registry.origins[name]
    if (origin.plugin, origin.distribution) != (told["plugin"], told["distribution"]):
        return Check("method", "differs", f"{name} here is of {origin}, the receipt has {told}")
    try:
        request = make_request(
            original, data, record["method"], record["hyperparameters"], registry,
            seed=record["seed"],
        )  # fmt: skip
    except (TypeError, ValueError) as error:
        return Check("method", "differs", str(error))
    if request.label != record["method"]:
        why = f"its hyper-parameters are not those of {record['method']}"
        return Check("method", "differs", why)
    return request


def facts_checks(
    receipt: Receipt,
    request: DeletionRequest,
    result: LoadedOriginal,
    places: Whereabouts,
) -> list[Check]:
    """What the receipt says of original, data and method, and what the checkpoint's files say."""
    told = receipt["original"]
    options = options_of(receipt, places.dataset)
    made = parts_of(request, options, told["given"], told["state_hash"])
    if receipt["format"] == WITHOUT_PARENT:
        del made["requests"]
    found = list(differences({key: receipt[key] for key in made}, made, skip=places.may_differ))
    if request.unlearner.control != receipt["record"]["control"]:
        found.append(f"record.control is {request.unlearner.control}, of {request.label}")
    if request.unlearner.hyperparameters().keys() != receipt["record"]["hyperparameters"].keys():
        found.append(f"record.hyperparameters are not all those of {request.label}")
    config = canonical(unlearned_config(request, receipt).as_json())
    own, there = handed_on(request.original), handed_on(result)
    return [
        Check("facts", "differs", "; ".join(found))
        if found
        else Check("facts", "matches", "as model, data and method make them"),
        same_text(f"content of {CONFIG}", config, canonical(result.config.as_json()), receipt),
        *(
            same_text(f"content of {name}", own.get(name, ""), there.get(name, ""), receipt)
            for name in sorted({*own, *there})
        ),
    ]
