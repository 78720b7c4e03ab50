"""Verify a submission: hold it to its board, then compute its claims again, level by level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from benchmark_adapters.cluster.options import MakeCrew
from benchmark_adapters.records.provenance import hardware, versions
from leaderboards.board.metrics import LEVELS, Level
from leaderboards.claims.submission import Submission
from leaderboards.claims.verdict import Difference, Outcome, Refused, Verdict
from leaderboards.store.evidence import StoreEvidence
from leaderboards.verification.cases import BoardCases
from leaderboards.verification.checks import reasons_against
from leaderboards.verification.findings import Findings, differences
from leaderboards.verification.reload import reload
from leaderboards.verification.rerun import rerun
from leaderboards.verification.rescore import rescore
from suli_plugin.registry import Registry


@dataclass(frozen=True)
class Verifier:
    """How far somebody verifies, as whom, and with what.

    sample: images a set at level `reload`, records at level `rerun`; None for all. folder: keeps
    what is run again. make_crew: of workers that do so, None for this process.
    """

    cases: BoardCases
    registry: Registry
    level: Level
    by: str
    folder: Path
    sample: int | None = None
    make_crew: MakeCrew | None = None

    def verdict(self, submission_id: str, store: StoreEvidence) -> Verdict:
        """What the levels up to this one find; a lower one that refutes ends it.

        Raises Refused for a submission that the board does not take, ValueError where this
        machine lacks what it takes (data, a plugin).
        """
        submission = store.submission(submission_id)
        self._refuse(submission, store)
        findings, differing = Findings(), list[Difference]()
        for level in self._levels(submission, store, findings):
            own = self._find(level, submission, store)
            findings.add(own)
            differing += differences(submission, self.cases.board, own.found, level)
            if findings.reasons or not all(each.holds for each in differing):
                break
        return self._made(submission, findings, differing)

    def _refuse(self, submission: Submission, store: StoreEvidence) -> None:
        board = self.cases.board
        reasons = reasons_against(submission, board, self.registry, self.cases.benchmark)
        dropped = store.verdicts(submission).evidence_dropped(submission)
        if not reasons and not (self.level == "rerun" and dropped):
            missing = store.missing(submission)
            reasons = [f"its evidence: {dropped}"] if missing and dropped else missing
        if reasons:
            raise Refused(submission.id, reasons)

    def _levels(
        self, submission: Submission, store: StoreEvidence, findings: Findings
    ) -> tuple[Level, ...]:
        dropped = store.verdicts(submission).evidence_dropped(submission)
        if dropped and store.missing(submission):
            findings.notes.append(f"run again only, since the evidence is not kept: {dropped}")
            return ("rerun",)
        return LEVELS[: LEVELS.index(self.level) + 1]

    def _find(self, level: Level, submission: Submission, store: StoreEvidence) -> Findings:
        images = self.sample if self.level == "reload" else None
        folder = self.folder / submission.id
        find: dict[Level, Callable[[], Findings]] = {
            "rescore": lambda: rescore(submission, store, self.cases),
            "reload": lambda: reload(submission, store, self.cases, sample=images),
            "rerun": lambda: rerun(
                submission,
                store,
                self.cases,
                self.registry,
                folder,
                sample=self.sample,
                make_crew=self.make_crew,
            ),
        }
        return find[level]()

    def _made(
        self, submission: Submission, findings: Findings, differing: list[Difference]
    ) -> Verdict:
        wrong = [str(each) for each in differing if not each.holds]
        passed: Outcome = "reproduced" if self.level == "rerun" else "re-scored"
        return Verdict(
            digest=submission.digest,
            level=self.level,
            outcome="refuted" if findings.reasons or wrong else passed,
            by=self.by,
            at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            versions=versions(),
            hardware=findings.hardware or hardware(),
            sample=self.sample if self.level != "rescore" else None,
            found=findings.found,
            differences=tuple(differing),
            reasons=(*findings.reasons, *wrong),
            notes=tuple(findings.notes),
            impostors=findings.impostors,
            not_audited=findings.not_audited,
        )
