"""What a row says of an audit: only of one that somebody made again, and of all its cases."""

from types import SimpleNamespace

import pytest

from leaderboards.claims.verdict import Verdict, Verdicts
from leaderboards.store.audits import audit_of

COUNTS = {"audit_like": 5.0, "audit_with_power": 7.0}
SAID = "cannot be told from a control"


def submission(features=True):
    evidence = {"model": {}, "logits": {}, **({"features": {}} if features else {})}
    claimed = tuple({"scenario": "class-3", "seed": seed, "evidence": evidence} for seed in (0, 1))
    return SimpleNamespace(claimed=claimed, digest="d")


def verdict(found=(COUNTS, COUNTS), level="rescore", outcome="re-scored", digest="d", **more):
    values = {f"class-3/{seed}": dict(own) for seed, own in enumerate(found)}
    return Verdict(digest, level, outcome, "bob", "now", {}, "x", None, values, **more)


def row(*verdicts, features=True):
    return audit_of(submission(features), Verdicts("s", verdicts))


def test_counts_are_summed_over_the_cases():
    found = row(verdict())
    assert found == {"audit": {"like": 10, "with_power": 14, "cases": 2}, "not_audited": None,
                     "impostor": None}  # fmt: skip


@pytest.mark.parametrize(
    ("verdicts", "why"),
    [
        ([], "nobody has verified it"),
        ([verdict(digest="of what was submitted before")], "nobody has verified it"),
        ([verdict(outcome="refuted")], "it is refuted"),
        ([verdict([{}, {}], not_audited="there is no original")], "there is no original"),
        ([verdict([COUNTS, {}])], "no verdict on it holds an audit of all its cases"),
    ],
)
def test_without_an_audit_of_all_cases_there_is_a_reason(verdicts, why):
    assert row(*verdicts) == {"audit": None, "not_audited": why, "impostor": None}


def test_what_is_older_than_features_says_so():
    assert row(verdict([{}, {}]), features=False)["not_audited"] == (
        "it was submitted without features"
    )


def test_a_rerun_without_evidence_keeps_the_audit_of_before():
    again = verdict([{}, {}], "rerun", "reproduced", not_audited="it has no features any more")
    assert row(verdict(), again)["audit"]["like"] == 10
    better = verdict([{**COUNTS, "audit_like": 6.0}] * 2, "rerun", "reproduced")
    assert row(verdict(), better)["audit"]["like"] == 12


def test_an_impostor_is_told_once_for_all_its_cases():
    names = ("class-3/0", "class-3/1")
    found = row(verdict(impostors=dict.fromkeys(names, SAID)))
    assert found["impostor"] == f"{SAID} (class-3/0, and 1 more of its cases)"
    alone = row(verdict(found=[{}, {}], impostors={"class-3/0": SAID}))
    assert alone["impostor"] == f"{SAID} (class-3/0)" and alone["audit"] is None
