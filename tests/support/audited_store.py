"""A store whose models an audit can judge, and cheats that are submitted to it as a method."""

from dataclasses import replace

import torch
from altered_store import REGISTRY, Store
from run_of_digits import brief_relearning, copied_cells

from benchmark_adapters.audit.observation_file import packed_observation
from benchmark_adapters.audit.observe import head_of
from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from benchmark_adapters.records.evidence import write_evidence
from benchmark_adapters.records.provenance import state_hash
from leaderboards.board.board import load_board
from leaderboards.store.evidence import StoreEvidence
from leaderboards.store.files import FolderFiles
from suli_plugin.runner import run

METHODS = ["original", "retrain", "suli@tuned", "suli@paper"]
CASE = ("class-3", 0)


def audited_board():
    """The shipped board of digits with one seed."""
    shipped = load_board("digits.class-wise")
    return replace(shipped, seeds=CASE[1:], noise=None)


def audited_run(folder, accelerator, run):
    """A run folder of one case with an audit against four Retrains.

    run: a folder of `run_of_digits`, which has two of them, the controls and more of its cells.
    """
    cells = plan(Digits(), REGISTRY, scenarios=CASE[:1], methods=METHODS, seeds=CASE[1:],
                 retrains=4, accelerator=accelerator)  # fmt: skip
    copied_cells(run, folder, cells)
    with brief_relearning():
        assert not run_grid(cells, Digits(), REGISTRY, folder, accelerator).failed


class AuditedStore(Store):
    """A store of that run."""

    def submit_model(self, model, method):
        """Make a model the one of a method's submission, whose record is right in all figures."""
        submission = self.read(method)
        [record] = submission["claimed"]
        there = StoreEvidence(FolderFiles(self.root), self.cases.board)
        scored = self.cases.of_record(record, there)
        measured = scored.measure(model, record["case"], label=method)
        record.update(metrics=dict(measured.metrics), unlearned_hash=state_hash(model))
        stem = self.root.parent / f"{record['seed']}-{record['cell'][:12]}"
        features = packed_observation(scored.observations.pop(method))
        for kind, entry in write_evidence(stem, model, scored.logits, features).items():
            self.new_evidence(record, kind, (stem.parent / entry["file"]).read_bytes(), method)
        submission.pop("audits")
        self.write(method, submission)

    def unlearned(self, method, **settings):
        """A model of the case, made by a method with these settings."""
        scored = self.cases.own(*CASE)
        unlearner = REGISTRY.unlearner(method, "class-wise", settings)
        return run(unlearner, scored.case.original, scored.case.request,
                   accelerator=scored.accelerator, seed=7).model  # fmt: skip


def with_redrawn_row(store):
    """The original with a forgotten row that is drawn anew, and never answers."""
    model = store.unlearned("bias_mask", constant=-25.0)
    weight = [p for p in model.parameters() if p.shape == head_of(model).weight.shape][-1]
    drawn = torch.randn(weight.shape[1], generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        weight[3] = drawn * weight.std()
    return model
