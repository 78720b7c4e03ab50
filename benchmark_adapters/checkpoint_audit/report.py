"""The report of an audit: one page that needs nothing else, and its picture as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmark_adapters.audit.case_audit import CaseAudit, TestResult
from benchmark_adapters.audit.verdict import MODEL
from benchmark_adapters.checkpoint_audit.audited import CheckpointAudit, as_text
from benchmark_adapters.checkpoint_audit.terminal import number, spread_of
from benchmark_adapters.deletion.checkpoint_files import AUDIT
from benchmark_adapters.records.record import write_atomically
from benchmark_adapters.report.picture import Picture
from benchmark_adapters.report.rendered import rendered, shown
from benchmark_adapters.report.strip_plot import strip_plot

PAGE = "index.html"
KINDS = {"outputs": "Answers", "features": "Features", "weights": "Weights", "cost": "Cost"}
MISSING = "pictures need matplotlib: pip install 'suli-plugin[report]'"
COUNTED = "counted in the Retrains' standard deviations"


def write_report(folder: Path, found: CheckpointAudit) -> list[Path]:
    """Write page, pictures and `audit.json` into a folder; their paths, the page first."""
    picture = _picture(found.audit)
    content: dict[str, str | bytes] = {PAGE: page(found, picture), AUDIT: as_text(found)}
    if picture is not None:
        content |= {"tests-light.png": picture.light, "tests-dark.png": picture.dark}
    for name, text in content.items():
        write_atomically(folder / name, text)
    return [folder / name for name in content]


def page(found: CheckpointAudit, picture: Picture | None) -> str:
    """The page as HTML; it says so where there is no picture."""
    audit = found.audit
    labels = [label for label in audit.roles if label != MODEL]
    return rendered(
        "checkpoint_audit/page.html",
        title=f"Audit of {found.sources['model']['source']}",
        outcome=_sentence_case(found.verdict.outcome),
        verdict=_sentence_case(found.verdict.sentence) + ".",
        headline=_sentence_case(audit.headline(MODEL)),
        retrains=audit.limit is not None,
        picture=shown(picture, of="the model") if picture else None,
        no_picture=MISSING,
        columns=[MODEL, *_retrain_columns(audit)],
        groups=_groups(audit),
        labels=[MODEL, *labels],
        every=[
            {
                "title": test.title,
                "cells": [number(test.values.get(label)) for label in (MODEL, *labels)],
            }
            for test in audit.tests
        ],
        not_tested=list(audit.not_tested.items()),
        facts=_facts(found),
    )


def _picture(audit: CaseAudit) -> Picture | None:
    return strip_plot({audit.seed: audit}) if find_spec("matplotlib") else None


def _retrain_columns(audit: CaseAudit) -> list[str]:
    return ["Retrains", "distance"] if audit.limit is not None else []


def _groups(audit: CaseAudit) -> list[dict[str, Any]]:
    groups = []
    for kind, title in KINDS.items():
        rows = [_row(test, audit) for test in audit.tests if test.kind == kind]
        groups.append({"title": title, "rows": rows})
    return [group for group in groups if group["rows"]]


def _row(test: TestResult, audit: CaseAudit) -> dict[str, Any]:
    numbers = [number(test.values.get(MODEL))]
    if audit.limit is not None:
        distance = test.distances.get(MODEL)
        numbers += [spread_of(test), "" if distance is None else f"{distance:+.1f}"]
    return {
        "title": test.title,
        "numbers": numbers,
        "verdict": test.verdicts.get(MODEL, "not tested"),
        "meaning": f"{_sentence_case(test.meaning)}.",
        "no_power": test.no_power if audit.limit is not None else "",
    }


def _facts(found: CheckpointAudit) -> list[tuple[str, Sequence[str]]]:
    sources, audit = found.sources, found.audit
    data = sources["dataset"]
    forgotten = data["forgotten"]
    what = forgotten if isinstance(forgotten, str) else f"class {', '.join(forgotten)}"
    facts: list[tuple[str, Sequence[str]]] = [
        ("Model", [_place(sources["model"]), f"state hash {audit.hashes[MODEL]}"]),
        ("Original", [_place(sources["original"])]),
        ("Forgotten", [f"{what}, of {data['source']}{_at(data)}"]),
        (
            "Images looked at",
            [f"{name}: {of['looked_at']} of {of['count']}" for name, of in data["sets"].items()],
        ),
        ("Retrains", _retrains(sources["retrains"])),
    ]
    if found.why:
        facts.append(("Recipe", [_sentence_case(found.why)]))
    if audit.limit is not None:
        far = f"A model differs where it is {audit.limit:.2f} or more from their mean, {COUNTED}"
        facts.append(("Limit", [far]))
    return facts


def _retrains(sources: Mapping[str, Any]) -> list[str]:
    """Where each is from; of those that were trained here their one recipe."""
    trained = [each["trained"] for each in sources.values() if "trained" in each]
    if not trained:
        return [_place(each) for each in sources.values()] or ["none"]
    recipe = ", ".join(f"{name} {of}" for name, of in trained[0].items() if name != "repeat")
    return [f"{len(trained) - 1} and one that is held out, trained here: {recipe}"]


def _place(source: Mapping[str, Any]) -> str:
    return f"{source['source']}{_at(source)}, file {source['weights_file']}"


def _at(source: Mapping[str, Any]) -> str:
    return f"@{source['commit'][:12]}" if source["commit"] else ""


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
