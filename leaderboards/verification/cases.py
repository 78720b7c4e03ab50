"""A board's cases on this machine, each made once, with the original that a record started from."""

from __future__ import annotations

import copy
import dataclasses

from accelerate import Accelerator

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.audit.observation_file import read_traits
from benchmark_adapters.audit.traits import rates_in
from benchmark_adapters.grid.retrains import RETRAIN
from benchmark_adapters.grid.scored_case import ScoredCase
from benchmark_adapters.metrics.panel import Retrained, relearned
from benchmark_adapters.originals.weight_files import load_weights
from benchmark_adapters.records.provenance import state_hash
from leaderboards.board.board import Board
from leaderboards.claims.submission import record_name
from leaderboards.claims.verdict import Refused
from leaderboards.store.evidence import Record, StoreEvidence
from suli_plugin.benchmark import Benchmark


class BoardCases:
    """The cases of a board; benchmark: with the data and the original of this machine.

    audits: those that were made already, by all that decides them.
    """

    def __init__(self, board: Board, benchmark: Benchmark, accelerator: Accelerator) -> None:
        self.board, self.benchmark, self.accelerator = board, benchmark, accelerator
        self._made: dict[tuple[str, int, str], ScoredCase] = {}
        self.audits: dict[tuple[object, ...], CaseAudit] = {}

    def own(self, scenario: str, seed: int) -> ScoredCase:
        """The case as this machine makes it.

        Raises ValueError if its sets are not the board's: then the data are other ones.
        """
        key = (scenario, seed, "")
        if key not in self._made:
            made = ScoredCase(self.benchmark, scenario, seed, self.accelerator)
            self._check_sets(made, scenario, seed)
            self._made[key] = made
        return self._made[key]

    def uncompared(self, scenario: str, seed: int) -> ScoredCase:
        """The same, to be compared with another Retrain than the last record's, or with none."""
        scored = self.own(scenario, seed)
        scored.retrained = scored.rates = None
        return scored

    def of_record(self, record: Record, store: StoreEvidence) -> ScoredCase:
        """The case of a record: with its own original, and compared with its own Retrain.

        Raises Refused where either is neither here nor in the store, ValueError for other data.
        """
        scored = self._with_original(record, store)
        scored.retrained = scored.rates = None
        wanted = record.get("compared_with")
        if wanted is None or record["method"] == RETRAIN:
            return scored
        found = store.record_of(RETRAIN, record["scenario"], record["seed"], wanted)
        if found is None:
            said = (
                f"it is compared with the Retrain {wanted:.12}, which is not in "
                f"{store.files.where}: submit {RETRAIN}, too"
            )
            raise Refused(record_name(record), [said])
        submission, retrained = found
        seen = scored.seen_in(store.logits(submission, retrained))
        scored.retrained = Retrained(seen, relearned(retrained["metrics"]), wanted)
        if store.has_features(submission, retrained):
            scored.rates = rates_in(read_traits(store.features(submission, retrained), wanted))
        return scored

    def is_foreign(self, record: Record) -> bool:
        """Whether its original is neither the board's own nor the one that this machine makes."""
        known = self.board.original["hashes"][str(record["seed"])]
        if record["original_hash"] == known:
            return False
        own = self.own(record["scenario"], record["seed"])
        return bool(record["original_hash"] != own.original_hash)

    def _with_original(self, record: Record, store: StoreEvidence) -> ScoredCase:
        scenario, seed, wanted = record["scenario"], record["seed"], record["original_hash"]
        own = self.own(scenario, seed)
        if own.original_hash == wanted:
            return own
        key = (scenario, seed, wanted)
        if key not in self._made:
            found = store.record_of("original", scenario, seed, wanted)
            if found is None:
                said = (
                    f"it starts from the original {wanted:.12}, which is neither this machine's "
                    f"nor in {store.files.where}: submit original, too"
                )
                raise Refused(record_name(record), [said])
            model = copy.deepcopy(own.case.original)
            load_weights(model, store.weights(*found), "the original's architecture")
            if state_hash(model) != wanted:
                said = f"the weights submitted as original are not {wanted:.12}"
                raise Refused(record_name(record), [said])
            case = dataclasses.replace(own.case, original=model)
            self._made[key] = ScoredCase(self.benchmark, scenario, seed, self.accelerator, case)
        return self._made[key]

    def _check_sets(self, made: ScoredCase, scenario: str, seed: int) -> None:
        expected = self.board.scenarios[scenario].hashes[str(seed)]
        for name, found in made.set_hashes.items():
            if found != expected[name]:
                raise ValueError(
                    f"the {name} set of {scenario}/{seed} here is not that of {self.board.name}: "
                    f"point --data and --original at {self.board.dataset['source']} and "
                    f"{self.board.original.get('source', 'the original that its records name')}"
                )
