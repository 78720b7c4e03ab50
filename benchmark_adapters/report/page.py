"""The page of a report: one HTML file that needs nothing else, and every text in it escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark_adapters.grid.retrains import row_label
from benchmark_adapters.grid.table import why_no_audit
from benchmark_adapters.records.record import canonical
from benchmark_adapters.records.run_record import precision_told
from benchmark_adapters.report import request_steps, strip_plot
from benchmark_adapters.report.audit_part import audit_part
from benchmark_adapters.report.picture import Picture
from benchmark_adapters.report.pictures import Gallery, LeftOut
from benchmark_adapters.report.rendered import rendered, shown
from benchmark_adapters.report.run_folder import Record, RunFolder, Scenario
from benchmark_adapters.report.score_tables import first_table, further_table, request_tables


@dataclass(frozen=True)
class Section:
    """A scenario with its pictures; None if none were asked for."""

    scenario: Scenario
    gallery: Gallery | None

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """What was drawn."""
        return self.gallery.pictures if self.gallery else ()

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What was asked for and could not be drawn."""
        return self.gallery.left_out if self.gallery else ()


def page(run: RunFolder, sections: Sequence[Section]) -> str:
    """The report as HTML. Pictures are data URIs; readers who prefer dark see the dark ones."""
    names = dict.fromkeys(section.scenario.benchmark for section in sections)
    return rendered(
        "report/page.html",
        title=f"Unlearning on {', '.join(names)}",
        records=sum(len(section.scenario.stored) for section in sections),
        sections=[_section(number, section) for number, section in enumerate(sections, 1)],
        set_aside=run.set_aside,
    )


def anchor(scenario: Scenario) -> str:
    """A scenario's name in file names: letters, digits, `-` and `_` alone."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", f"{scenario.benchmark}-{scenario.name}")


def _section(number: int, section: Section) -> dict[str, Any]:
    scenario = section.scenario
    why = why_no_audit(scenario.records)
    pictures = {each.name: shown(each, of=str(scenario)) for each in section.pictures}
    return {
        "anchor": f"s{number}-{anchor(scenario)}",
        "name": scenario.name,
        "title": str(scenario),
        "scores": first_table(scenario),
        "requests": request_tables(scenario),
        "steps": pictures.pop(request_steps.NAME, None),
        "further": further_table(scenario),
        "audit": audit_part(scenario) if scenario.audits else None,
        "why_no_audit": why[0].upper() + why[1:],
        "strips": pictures.pop(strip_plot.NAME, None),
        "pictures": list(pictures.values()),
        "pictured": section.gallery is not None,
        "left_out": section.left_out,
        "facts": _facts(scenario),
        "settings": _settings(scenario),
    }


def _facts(scenario: Scenario) -> list[tuple[str, list[str]]]:
    """What was the same for all records is said once, the rest as often as it differs."""
    makers: dict[str, Callable[[Record], str]] = {
        "Images scored": lambda r: ", ".join(f"{n} {name}" for name, n in r["sizes"].items()),
        "Original": lambda r: _listed(r["original"]),
        "Hardware": lambda r: (
            f"{r['hardware']}; device {r['device']}, processes {r['processes']}, "
            f"mixed precision {precision_told(r)}"
        ),
        "Versions": lambda r: ", ".join(f"{name} {v}" for name, v in r["versions"].items()),
        "Code": lambda r: str(r.get("git_commit") or "an installed package"),
        "Command": lambda r: str(r["command"]),
    }
    return [(name, _distinct(map(make, scenario.records))) for name, make in makers.items()]


def _settings(scenario: Scenario) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for record in scenario.records:
        settings = canonical(record["hyperparameters"])
        found.setdefault(row_label(record["method"]), []).append(settings)
    return [(label, _distinct(settings)) for label, settings in found.items()]


def _listed(described: Record) -> str:
    return ", ".join(f"{name} {_plain(value)}" for name, value in described.items()) or "not said"


def _plain(value: Any) -> str:
    return f"({_listed(value)})" if isinstance(value, dict) else str(value)


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
