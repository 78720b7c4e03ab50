"""What a receipt says in two places must be the same; found without original and data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmark_adapters.deletion.case import BENCHMARK, case_of, scenario_of
from benchmark_adapters.deletion.judgement import judgement_of, risen
from benchmark_adapters.deletion.request_rates import risen_requests
from benchmark_adapters.records.run_record import cell_of_record

Receipt = Mapping[str, Any]


def contradictions(receipt: Receipt) -> Iterator[str]:
    """Each thing in which a receipt, whose fields all fit, disagrees with itself, in words."""
    yield from _of_hashes(receipt)
    yield from _of_original(receipt)
    yield from _of_sets(receipt)
    yield from _of_forget_set(receipt)
    yield from _of_run(receipt)
    yield from _of_kept_classes(receipt)
    yield from _of_requests(receipt)


def _of_hashes(receipt: Receipt) -> Iterator[str]:
    record, sets = receipt["record"], receipt["dataset"]["sets"]
    forgotten = receipt["forget_set"]["sha256"]
    pairs = [
        ("original", receipt["original"]["state_hash"], record["original_hash"]),
        ("result", receipt["result"]["state_hash"], record["unlearned_hash"]),
        ("forget set", forgotten, record["forget_set_hash"]),
        ("forget set", forgotten, sets.get("forget", {}).get("sha256")),
    ]
    for name, own, recorded in pairs:
        if own != recorded:
            yield f"the hash of its {name} stands in two places, which differ"
    if record["set_hashes"] != {name: of["sha256"] for name, of in sets.items()}:
        yield "the hashes of its sets are not those in its record"


def _of_original(receipt: Receipt) -> Iterator[str]:
    told = receipt["original"]
    same = ("source", "commit", "weights_file", "sha256")
    if receipt["record"]["original"] != {"kind": "published", **{key: told[key] for key in same}}:
        yield "its original is not the one in its record"
    # A stored split in a folder may be over data of the Hub, and the other way round.
    pinned = ("original",) if receipt["dataset"]["stored_split"] else ("original", "dataset")
    for part in pinned:
        if receipt[part]["folder"] != (receipt[part]["commit"] is None):
            yield f"its {part} is either a folder or has a commit"


def _of_sets(receipt: Receipt) -> Iterator[str]:
    data = receipt["dataset"]
    sets, options = data["sets"], data["options"]
    if receipt["record"]["sizes"] != {name: of["count"] for name, of in sets.items()}:
        yield "the sizes of its sets are not those in its record"
    if data["stored_split"] is not None:
        return
    asked = {"forget", *(name for name in sets if "forgotten_before" in name)}
    if asked - {"forget"} and not receipt["forgotten_before"]:
        yield "it has sets of what was forgotten earlier, and names none"
    asked |= {*(name for name in ("retain", "reference", "test") if options[name])}
    for name in sorted(asked - sets.keys()):
        yield f"its options name a {name} set, of which it has no hash"
    for name in sorted(sets.keys() - asked):
        yield f"it has a {name} set, which its options do not name"


def _of_forget_set(receipt: Receipt) -> Iterator[str]:
    forgotten, sets = receipt["forget_set"], receipt["dataset"]["sets"]
    classes, ids = forgotten["classes"], forgotten["ids"]
    if forgotten["count"] != sets.get("forget", {}).get("count"):
        yield "the number of forgotten samples stands in two places, which differ"
    if len(forgotten["class_names"]) != len(classes):
        yield "it names other than the forgotten classes"
    if len(set(ids)) != (0 if classes else forgotten["count"]):
        yield f"it lists {len(set(ids))} ids for {forgotten['count']} forgotten samples"
    if forgotten["contents"] and set(forgotten["contents"]) != set(ids):
        yield "it has the contents of other samples than it lists"


def _of_kept_classes(receipt: Receipt) -> Iterator[str]:
    """Together the kept classes of a set are as accurate as the set."""
    whole = {"retain": "retain_accuracy", "test": "test_accuracy"}
    if receipt["forget_set"]["classes"]:
        whole["test"] = "test_retain_accuracy"
    for model, metrics in (
        ("original", receipt["original_metrics"]),
        ("unlearned", receipt["record"]["metrics"]),
    ):
        for name, metric in whole.items():
            kept = [each for each in receipt["kept_classes"] if each["set"] == name]
            right = sum(each[model] * each["count"] for each in kept)
            count = sum(each["count"] for each in kept)
            if abs(right - metrics.get(metric, 0.0) * count) > 0.5 or bool(kept) != (
                metric in metrics
            ):
                yield f"the accuracies of its kept classes do not make up the {metric}"


def _of_run(receipt: Receipt) -> Iterator[str]:
    record, forgotten = receipt["record"], receipt["forget_set"]
    classes = forgotten["classes"]
    said = {
        "benchmark": BENCHMARK,
        "scope": "class-wise" if classes else "instance-wise",
        "scenario": scenario_of(classes, forgotten["count"]),
        "case": case_of(
            record["original_hash"], record["set_hashes"], classes, receipt.get("requests", ())
        ),
        "cell": cell_of_record(record),
    }
    for name, expected in said.items():
        if record[name] != expected:
            yield f"its record's {name} is {record[name]!r:.40}, expected {expected!r:.40}"
    if record["metrics"].keys() != receipt["original_metrics"].keys():
        yield "original and unlearned model were not measured by the same metrics"
    if record["seconds"]["update"] > record["seconds"]["total"]:
        yield "its updates took longer than all of it"
    if receipt["judgement"] != judgement_of(receipt):
        yield "its judgement is not the one that its metrics give"
    # What receipts of before do not tell contradicts nothing.
    back = risen(receipt["original_metrics"], record["metrics"])
    if receipt.get("came_back", back) != back:
        yield "what came back is not what its metrics give"
    if receipt.get("parent") is not None and not receipt["forgotten_before"]:
        yield "it names its parent's receipt, and nothing that was forgotten earlier"
    if record["versions"]["suli-plugin"] != receipt["versions"]["suli-plugin"]:
        yield "the version of suli-plugin stands in two places, which differ"


def _of_requests(receipt: Receipt) -> Iterator[str]:
    """Several requests together are the forget set, and the last outcome is the result."""
    requests, after = receipt.get("requests", ()), receipt.get("after_each", ())
    if len(requests) != len(after):
        yield f"it has {len(after)} outcomes of {len(requests)} requests"
    if not requests or len(requests) != len(after):
        return
    forgotten, names = receipt["forget_set"], [each["name"] for each in requests]
    for part in ("classes", "ids"):
        if sorted(item for each in requests for item in each[part]) != sorted(forgotten[part]):
            yield f"the {part} of its requests are not those of its forget set"
    if sum(each["count"] for each in requests) != forgotten["count"]:
        yield "its requests are not as many samples as its forget set"
    if after[-1]["state_hash"] != receipt["result"]["state_hash"]:
        yield "the outcome of its last request is not its result"
    before: list[Mapping[str, Any]] = []
    for number, each in enumerate(after, 1):
        if [rate["request"] for rate in each["measured"]] != names[:number]:
            yield f"after request {number} it has measured others than the requests so far"
        if each["came_back"] != risen_requests(before, each["measured"]):
            yield f"what came back after request {number} is not what its accuracies give"
        before = each["measured"]
