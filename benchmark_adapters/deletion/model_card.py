"""The model card of an unlearned checkpoint, written from its receipt and nothing else."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from benchmark_adapters.deletion.judgement import came_back, outcome, recognised
from benchmark_adapters.deletion.measures import worst_kept
from benchmark_adapters.deletion.request_rates import rises
from benchmark_adapters.deletion.requests_card import requests_section
from benchmark_adapters.deletion.wording import copies_counted, counted, plain
from benchmark_adapters.records.run_record import precision_told

_USE = """## Use

```python
from benchmark_adapters.originals import load_original

model = load_original({literal}).model
```

`unlearning.json` is the receipt: hashes of original, forget set and result, and the whole record. \
`suli receipt verify {word}` computes them again and names what does not match.
"""
_PLACE = re.compile(r'load_original\(("(?:[^"\\\n]|\\.)+")\)')
_MADE = "was made to"
_ALWAYS = (
    "This is approximate unlearning. Nothing here proves that the model equals one that was "
    "trained without the forgotten samples.",
    "A forget accuracy near zero says what the model answers, not what its inner layers still "
    "know.",
    "The original, every copy of it, and the history of a repository that held it still contain "
    "what was forgotten here.",
)


def card(facts: Mapping[str, Any], place: str) -> str:
    """README.md for a receipt's facts. place: what to load, a folder's or repository's name."""
    return said(facts) + use(place)


def use(place: str) -> str:
    """The card's last section: how to load and to verify what is at that place."""
    # A JSON string is a Python literal, too.
    return _USE.format(literal=json.dumps(place, ensure_ascii=False), word=shlex.quote(place))


def placed(text: str, place: str) -> str:
    """The card for another place: only its last section names one. Raises ValueError."""
    return parted(text)[0] + use(place)


def parted(text: str) -> tuple[str, str]:
    """What a card says, and the place that it names. Raises ValueError for what is no card."""
    start = text.rfind(_USE.partition("\n")[0])
    found = _PLACE.search(text, max(start, 0))
    place = "" if start < 0 or found is None else json.loads(found[1])
    if not place or text[start:] != use(place):
        raise ValueError("its last section does not say how to load the checkpoint, and no more")
    return text[:start], place


def said(facts: Mapping[str, Any]) -> str:
    """The card but for its last section, which alone depends on where the checkpoint is."""
    original, record, forgotten = facts["original"], facts["record"], facts["forget_set"]
    named = f"`{plain(original['source'])}`"
    sections = [
        f"---\n{_metadata(facts)}\n---",
        f"# {_title(named, facts)}",
        f"{named}{_at(original)} {_made(facts)} forget "
        f"{counted(forgotten['count'], 'training sample')} of "
        f"`{plain(facts['dataset']['source'])}`{_at(facts['dataset'])} with "
        f"`{record['method']}`, {_read(facts)}. The outcome is {outcome(facts)}.",
        f"## {'Forgotten' if _made(facts) == _MADE else 'To be forgotten'}\n\n"
        f"{_forgotten(forgotten)}{requests_section(facts)}{_earlier(facts)}",
        f"## Method\n\n{_method(record)}",
        f"## Measured\n\n{_metrics(facts)}",
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits(facts)),
    ]
    return "\n\n".join(sections) + "\n\n"


def limits(facts: Mapping[str, Any]) -> list[str]:
    """What the numbers do not say, in plain words."""
    record, forgotten = facts["record"], facts["forget_set"]
    found = [f"Not measured: {what} ({why})." for what, why in facts["not_measured"].items()]
    if facts["original"]["state_hash"] == facts["result"]["state_hash"]:
        found.insert(0, "Nothing was changed: every weight is the original's, bit for bit.")
    if record.get("control"):
        found.insert(0, f"`{record['method']}` is a control: it forgets nothing honestly.")
    found += _harm(facts)
    if forgotten["copies"] is None:
        found.append("It was not looked for exact copies of forgotten images in all other data.")
    elif forgotten["copies"]:
        first = forgotten["copies"][0]
        found.append(
            f"{copies_counted(len(forgotten['copies']))} (`{plain(first['id'])}` of "
            f"`{plain(first['forgotten'])}`, for one), left as before: forgetting one copy is "
            f"not forgetting."
        )
    return [*found, *_ALWAYS]


def _metadata(facts: Mapping[str, Any]) -> str:
    from huggingface_hub import ModelCardData

    original, data, record = facts["original"], facts["dataset"], facts["record"]
    return str(
        ModelCardData(
            license=original["license"],
            base_model=None if original["folder"] else original["source"],
            datasets=[data["source"]] if data["commit"] else None,
            library_name="suli-plugin",
            pipeline_tag="image-classification",
            tags=["image-classification", "machine-unlearning", record["method"].partition("@")[0]],
        ).to_yaml()
    )


def _what(forgotten: Mapping[str, Any]) -> str:
    names = ", ".join(f"`{plain(name)}`" for name in forgotten["class_names"])
    return names or f"{forgotten['count']} of its training samples"


def _forgotten(forgotten: Mapping[str, Any]) -> str:
    if forgotten["class_names"]:
        kind = f"Every training sample of {_what(forgotten)}: {forgotten['count']}."
    else:
        kind = f"{counted(forgotten['count'], 'single sample')}; `unlearning.json` lists their ids."
    return f"{kind} SHA-256 over their ids, labels and pixels: `{forgotten['sha256']}`."


def _title(named: str, facts: Mapping[str, Any]) -> str:
    """A model is without something only where that was judged so."""
    record, what = facts["record"], _what(facts["forget_set"])
    verdict, rate = facts["judgement"]["verdict"], recognised(record["metrics"])
    if verdict == "forgotten":
        return f"{named} without {what}"
    if verdict in ("control", "not judged"):
        return f"{named} after `{record['method']}` on {what}"
    back = came_back(facts["original_metrics"], record["metrics"])
    again = ", and again what was forgotten earlier" if back else ""
    return f"{named} that still recognises {rate:.4f} of {what}{again}"


def _made(facts: Mapping[str, Any]) -> str:
    return _MADE if facts["judgement"]["verdict"] == "forgotten" else "was to"


def _earlier(facts: Mapping[str, Any]) -> str:
    """What earlier requests were to forget, so that the card names everything so far."""
    lines = []
    for request in facts["forgotten_before"]:
        names = ", ".join(f"`{plain(name)}`" for name in request["class_names"])
        every = f"every training sample of {names}: {request['count']}"
        what = every if names else counted(request["count"], "single sample")
        lines.append(f"- {what}, with `{request['method']}`")
    told = "To be forgotten by earlier requests, and kept out of what is retained or unseen here:"
    return f"\n\n{told}\n\n" + "\n".join(lines) if lines else ""


def _harm(facts: Mapping[str, Any]) -> list[str]:
    """What came back, what may be among the kept samples, and the kept class that fell most."""
    before, after = facts["original_metrics"], facts["record"]["metrics"]
    found = [
        f"What was forgotten earlier came back: {name.replace('_', ' ')} rose from "
        f"{before[name]:.4f} to {value:.4f}."
        for name, value in came_back(before, after).items()
    ]
    found += [f"{line[0].upper()}{line[1:]}." for line in rises(facts)]
    untold = sum(each["count"] for each in facts["forgotten_before"] if each["ids"] is None)
    if untold:
        found.append(
            f"The ids of {counted(untold, 'sample')} forgotten earlier can't be told any more; "
            f"among what was kept there may be some."
        )
    worst = worst_kept(facts)
    if worst is not None and worst.fall > 0:
        found.append(
            f"Of the kept classes `{plain(worst.name)}` fell the furthest: {worst.original:.4f} "
            f"to {worst.unlearned:.4f} on {worst.count} images of the {worst.set} set."
        )
    return found


def _read(facts: Mapping[str, Any]) -> str:
    if facts["reads"] == ["forget"]:
        return "which read the forget data alone"
    return f"which read: {', '.join(facts['reads']) or 'no data'}"


def _method(record: Mapping[str, Any]) -> str:
    rows = "\n".join(
        f"| `{name}` | `{plain(str(value))}` |" for name, value in record["hyperparameters"].items()
    )
    seconds = record["seconds"]
    return (
        f"`{record['method']}` of {record['plugin']['distribution']} "
        f"{record['plugin']['version']}, seed {record['seed']}, {record['scope']}. It stopped "
        f"because: {record['stop_reason']}. {seconds['total']:.1f} s in all, "
        f"{seconds['update']:.1f} s of it in parameter updates, on {record['hardware']}, "
        f"mixed precision: {precision_told(record)}.\n\n"
        f"| hyper-parameter | value |\n|---|---|\n{rows}"
    )


def _metrics(facts: Mapping[str, Any]) -> str:
    before, after = facts["original_metrics"], facts["record"]["metrics"]
    rows = "\n".join(
        f"| {name.replace('_', ' ')} | {before[name]:.4f} | {after[name]:.4f} |" for name in after
    )
    counts = ", ".join(f"{name} {of['count']}" for name, of in facts["dataset"]["sets"].items())
    return (
        f"Fractions, scored in float32 ({counts} samples); for mia accuracy 0.5 is ideal.\n\n"
        f"| | original | unlearned |\n|---|---|---|\n{rows}"
    )


def _at(source: Mapping[str, Any]) -> str:
    return f" (commit `{source['commit']}`)" if source["commit"] else ""
