"""The audits of a run folder, beside the records that they are of; they may come from anyone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from benchmark_adapters.audit.case_audit import CaseAudit, TestResult, Verdict
from benchmark_adapters.audit.spread import Scale
from benchmark_adapters.grid.case_audits import AUDIT
from benchmark_adapters.records.strict_json import strict_json
from suli_plugin.unlearner import Scope

FILE = re.compile(rf"(\d+)-{re.escape(AUDIT)}")
ROLES = ("original", "retrain", "held out", "control", "method")
TEXTS = ("name", "title", "kind", "meaning", "no_power")
MOST_TESTS = 100
Audits = Mapping[Path, CaseAudit]


def read_audits(folder: Path) -> tuple[dict[Path, CaseAudit], list[str]]:
    """The audits under a folder by their files, and a line for each file that is none."""
    found, set_aside = {}, []
    for path in sorted(path for path in folder.rglob(f"*-{AUDIT}") if FILE.fullmatch(path.name)):
        try:
            found[path] = _read(path)
        except (OSError, ValueError) as error:
            set_aside.append(str(error))
    return found, set_aside


def fitting(
    audits: Audits, records: Iterable[tuple[Path, Mapping[str, Any]]]
) -> tuple[dict[int, CaseAudit], list[str]]:
    """The audits of one scenario's records, ascending by seed, and a line for each that is not.

    records: with their files. An audit is of them if it names no other weights than they do.
    """
    hashes: dict[tuple[Path, int], dict[str, str]] = {}
    for path, record in records:
        own = hashes.setdefault((path.parent.parent, record["seed"]), {})
        own[record["method"]] = record["unlearned_hash"]
    fit, set_aside = {}, []
    for path, audit in audits.items():
        own = hashes.get((path.parent, audit.seed), {})
        other = [label for label in own if audit.hashes.get(label, own[label]) != own[label]]
        if other:
            set_aside.append(
                f"{path} is of other models than the records beside it ({', '.join(other)}); "
                f"`suli bench run` judges again"
            )
        elif own:
            fit[audit.seed] = audit
    return dict(sorted(fit.items())), set_aside


def _read(path: Path) -> CaseAudit:
    """Raises ValueError if what is shown is not there."""
    content = strict_json(path.read_bytes(), str(path), hidden=True)
    try:
        audit = CaseAudit.of(content)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not an audit: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    wrong = _wrong_part(audit) or ("seed" if path.name != f"{audit.seed}-{AUDIT}" else None)
    if wrong:
        raise ValueError(f"{path} is not a whole audit: {wrong!r} is not what it must be")
    return audit


def _wrong_part(audit: CaseAudit) -> str | None:
    """The first part of another kind than is written; a file may come from anyone."""
    parts: dict[str, bool] = {
        "scope": audit.scope in get_args(Scope),
        "seed": type(audit.seed) is int,
        "roles": _all(audit.roles, lambda role: role in ROLES),
        "limit": audit.limit is None or (_number(audit.limit) and audit.limit > 0),
        "tests": 0 < len(audit.tests) <= MOST_TESTS,
        **{
            name: _all(getattr(audit, name), lambda text: isinstance(text, str))
            for name in ("hashes", "impostors", "not_tested")
        },
    }
    parts |= {f"tests[{number}]": _whole(test) for number, test in enumerate(audit.tests)}
    return next((name for name, right in parts.items() if not right), None)


def _whole(test: TestResult) -> bool:
    known = [*test.retrains, test.mean, test.deviation]
    return (
        all(isinstance(getattr(test, name), str) for name in TEXTS)
        and test.scale in get_args(Scale)
        and _all(test.values, lambda value: value is None or _number(value))
        and _all(test.distances, _number)
        and _all(test.verdicts, lambda verdict: verdict in get_args(Verdict))
        and (all(map(_number, known)) or known == [None, None])
        and (test.scale != "log-odds" or all(0 <= value <= 1 for value in test.retrains))
        and type(test.samples) is int
        and 0 <= test.samples < 1e9
    )


def _all(given: Any, right: Callable[[Any], bool]) -> bool:
    """Whether it is a mapping and each of its values is right."""
    return isinstance(given, dict) and all(map(right, given.values()))


def _number(value: Any) -> bool:
    """Whether it is a number that a picture can have."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
