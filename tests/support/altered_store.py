"""A store that a test may alter and look into."""

import hashlib
import json

from benchmark_adapters.records.record import digest
from benchmark_adapters.records.run_record import cell_of_record
from leaderboards.claims.claimed_record import SUFFIX
from leaderboards.claims.submission import FOLDER
from leaderboards.claims.verdict import Refused
from leaderboards.store.evidence import StoreEvidence
from leaderboards.store.files import FolderFiles
from leaderboards.verification.levels import Verifier
from suli_plugin.plugins import load_plugins

REGISTRY = load_plugins(strict=True)


class Store:
    """A copy of the honest store, to be altered and looked into."""

    def __init__(self, root, cases, runs_again):
        self.root, self.cases, self.runs_again = root, cases, runs_again

    def id(self, method):
        [path] = (self.root / FOLDER).glob(f"*-wise-{method.replace('@', '-at-')}-{'?' * 12}.json")
        return path.stem

    def path(self, method):
        return self.root / FOLDER / f"{self.id(method)}.json"

    def read(self, method):
        return json.loads(self.path(method).read_text())

    def write(self, method, submission):
        """Write a submission whose digests are right, as a careful liar would."""
        for record in submission["claimed"]:
            record["digest"] = digest(record)
        self.path(method).write_text(json.dumps(submission))

    def evidence(self, method, record, kind):
        name = record["evidence"][kind]["sha256"] + SUFFIX[kind]
        return self.root / "evidence" / self.id(method) / name

    def verdict(self, method="suli", level="rescore", **options):
        verifier = Verifier(self.cases, REGISTRY, level, "bob", self.runs_again, **options)
        store = StoreEvidence(FolderFiles(self.root), self.cases.board)
        return verifier.verdict(self.id(method), store)

    def change_records(self, change, method="suli"):
        """Apply a change to every record, with right digests."""
        submission = self.read(method)
        for record in submission["claimed"]:
            change(record)
        self.write(method, submission)

    def new_evidence(self, record, kind, data, method="suli"):
        """Replace a file of evidence, and name the new hash in its record."""
        record["evidence"][kind]["sha256"] = hashlib.sha256(data).hexdigest()
        self.evidence(method, record, kind).write_bytes(data)

    def relabelled(self, source, target="suli", keep=()):
        """Submit what is of `source` as `target`: records, weights, logits, all rightly hashed."""
        ours, theirs = self.read(target), self.read(source)
        for mine, other in zip(ours["claimed"], theirs["claimed"], strict=True):
            kept = {name: mine[name] for name in ("method", "control", "plugin", *keep)}
            mine.clear()
            mine.update(json.loads(json.dumps(other)), **kept)
            for kind in SUFFIX:
                self.new_evidence(
                    mine, kind, self.evidence(source, other, kind).read_bytes(), target
                )
            resealed(mine)
        self.write(target, ours)

    def reasons(self, level="rescore", method="suli"):
        """Why it fails, whichever way it does."""
        try:
            verdict = self.verdict(method, level)
        except (Refused, ValueError) as error:
            return str(error)
        assert verdict.outcome == "refuted"
        return "; ".join(verdict.reasons)


def resealed(record):
    """Compute the key of a record's cell anew, and name its evidence after it."""
    record["cell"] = cell_of_record(record)
    for kind, entry in record["evidence"].items():
        entry["file"] = f"{record['seed']}-{record['cell'][:12]}{SUFFIX[kind]}"
