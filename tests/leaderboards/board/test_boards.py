"""The boards that ship, how they are measured, and what they tolerate."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from altered_store import REGISTRY
from click.testing import CliRunner
from repository import ROOT

from benchmark_adapters.grid.scored_case import ScoredCase
from benchmark_adapters.metrics.panel import observe
from benchmark_adapters.originals.load import load_original
from benchmark_adapters.records.provenance import state_hash
from leaderboards.board.board import board_names, load_board, shipped_path, write_board
from leaderboards.board.metrics import AUDIT_COUNTS, OPTIONAL, TO_RETRAIN, board_metrics
from leaderboards.command import leaderboard
from leaderboards.keeping.noise import FACTOR, verified_records, with_noise
from leaderboards.store.files import FolderFiles
from leaderboards.store.folder import put_verdict
from suli_plugin.benchmark import scope_of


@pytest.mark.parametrize("name", board_names())
def test_a_board_that_ships_is_of_an_installed_benchmark_and_its_scope(name, tmp_path):
    board = load_board(name)
    assert board.name == name
    assert name in {f"{board.benchmark}.{about}" for about in (board.scope, *board.scenarios)}
    assert {scope_of(scenario) for scenario in board.scenarios} == {board.scope}
    known = REGISTRY.benchmark(board.benchmark)
    assert set(board.scenarios) <= set(known.all_scenarios)
    for control in board.controls:
        assert REGISTRY.unlearner(control, board.scope).control
    whole = all(each.sizes and each.hashes for each in board.scenarios.values())
    assert whole != bool(board.not_measured)
    write_board(board, tmp_path / "again.json")
    assert load_board(tmp_path / "again.json") == board


def test_there_is_a_board_for_each_setting_and_scope():
    settings = ("digits", "cifar10-fast", "cifar10-resnet18", "cifar10-resnet20",
                "utkface-allcnn", "vggface2-resnet50")  # fmt: skip
    wanted = {f"{each}.{scope}" for each in settings for scope in ("class-wise", "instance-wise")}
    assert wanted <= set(board_names())


def test_the_digits_board_that_ships_has_the_hashes_of_these_digits(board):
    shipped = load_board("digits.class-wise")
    for scenario, each in board.scenarios.items():
        assert shipped.scenarios[scenario].sizes == each.sizes
        for seed, hashes in each.hashes.items():
            assert shipped.scenarios[scenario].hashes[seed] == hashes
    assert shipped.original["recipe"] == board.original["recipe"]
    assert [metric.name for metric in shipped.metrics] == [m.name for m in board.metrics]


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
def test_the_originals_that_a_board_names_by_seed_are_committed(scope):
    told = load_board(f"cifar10-fast.{scope}").original
    for seed, known in told["hashes"].items():
        committed = ROOT / told["source"].format(seed=seed)
        assert state_hash(load_original(committed).model) == known
        assert json.loads((committed / "config.json").read_text())["training"]["seed"] >= 1000
    assert len(set(told["hashes"].values())) == 3 and "sha256" not in told


def test_the_boards_metrics_are_those_of_a_record(honest, board):
    [path] = (honest / "submissions").glob("*-suli-*.json")
    claimed = json.loads(path.read_text())["claimed"][0]["metrics"].keys()
    costs = {"forward_passes", "backward_passes", "update_seconds", "total_seconds"}
    named = {metric.name for metric in board.metrics} - costs
    assert claimed <= named and named - claimed <= OPTIONAL


def test_logits_decide_what_the_board_says_they_decide(board, benchmark, accelerator):
    scored = ScoredCase(benchmark, "class-3", 0, accelerator)
    found = scored.rescore(observe(scored.case.original, scored.case, accelerator))
    by_logits = {m.name for m in board.metrics if m.tolerance["rescore"] is not None}
    assert found.keys() == by_logits - TO_RETRAIN - set(AUDIT_COUNTS)


def test_no_tolerance_is_below_one_image_on_a_border():
    metrics = {m.name: m for m in board_metrics("class-wise", _sizes(40, 300, 1000, 300))}
    assert metrics["forget_accuracy"].tolerance["reload"] == 1 / 40
    assert metrics["test_retain_accuracy"].tolerance["rerun"] == 1 / 1000
    assert metrics["retain_accuracy"].tolerance["rescore"] == 1e-9
    assert metrics["relearn_updates"].tolerance == {"rescore": None, "reload": 1.0, "rerun": 1.0}
    assert set(metrics["total_seconds"].tolerance.values()) == {None}


def _sizes(forget, retain, test, reference):
    return {"forget": forget, "retain": retain, "test": test, "reference": reference}


def test_rerun_tolerates_the_noise_between_seeds_and_no_more(board):
    records = [_record("suli", seed, value) for seed, value in enumerate([0.90, 0.92, 0.94])]
    records += [_record("su", seed, 0.5) for seed in range(3)]
    records += [_record("once", 0, 0.1)]
    noisy = with_noise(board, records, "a command")
    assert noisy.tolerance("retain_accuracy", "rerun", "suli") == pytest.approx(FACTOR * 0.02)
    rounding = 1 / 322
    assert noisy.tolerance("retain_accuracy", "rerun", "su") == pytest.approx(rounding)
    pooled = FACTOR * (0.02**2 / 2) ** 0.5
    for stranger in ("once", "new"):
        assert noisy.tolerance("retain_accuracy", "rerun", stranger) == pytest.approx(pooled)
    assert noisy.tolerance("retain_accuracy", "reload", "suli") == pytest.approx(rounding)
    assert noisy.noise["n"] == 6 and noisy.noise["command"] == "a command"
    with pytest.raises(ValueError, match="no method with 3 verified records"):
        with_noise(board, records[:2], "")
    elsewhere = [{**record, "scenario": f"class-{n}"} for n, record in enumerate(records)]
    with pytest.raises(ValueError, match="no method with 3 verified records of one scenario"):
        with_noise(board, elsewhere, "")


def test_what_destroys_the_network_does_not_excuse_a_stranger(board):
    def tolerated(**noise):
        steps = {"retrain": 0, "bn_drift": 0, **noise}
        records = [
            _record(method, seed, 0.5 + step * seed)
            for method, step in steps.items()
            for seed in range(3)
        ]
        return with_noise(board, records, "").tolerance("retain_accuracy", "rerun", "new")

    assert "bn_drift" in board.controls
    others = {"su": 0.01, "suli": 0.01, "delete": 0.02, "semu": 0.02}
    assert tolerated(**others) == pytest.approx(FACTOR * (0.001 / 6) ** 0.5)  # pooled
    assert tolerated(**others, unsir=0.2) == pytest.approx(FACTOR * 0.02)


def _record(method, seed, value):
    return {
        "method": method, "scenario": "class-3", "seed": seed,
        "metrics": {"retain_accuracy": value}, "seconds": {"update": 1, "total": 2},
        "passes": {"forward": {"forget": 7}, "backward": {}},
    }  # fmt: skip


def test_noise_is_of_verified_records_alone(store, board):
    assert verified_records(FolderFiles(store.root), board) == []
    from leaderboards.store.evidence import StoreEvidence

    evidence = StoreEvidence(FolderFiles(store.root), board)
    for method, outcome in (("suli", "re-scored"), ("bn_drift", "refuted")):
        verdict = replace(store.verdict(method), outcome=outcome)
        put_verdict(store.root, evidence.submission(store.id(method)), verdict)
    found = verified_records(FolderFiles(store.root), board)
    assert {record["method"] for record in found} == {"suli"} and len(found) == 2


def test_measure_writes_a_board_that_submissions_can_be_held_to(tmp_path, board, benchmark):
    path = tmp_path / "own.json"
    write_board(replace(board, scenarios={}, seeds=()), path)
    asked = ["measure", str(path), "--scenarios", "class-3", "--seeds", "0,1"]
    done = CliRunner().invoke(leaderboard, asked)
    assert done.exit_code == 0 and "2 cases" in done.output
    assert load_board(path) == board
    done = CliRunner().invoke(leaderboard, [*asked[:2], "--scenarios", "instance-64"])
    assert done.exit_code == 2 and "is class-wise, but instance-64 is not" in done.output


def test_no_board_is_about_requests_that_follow_one_another(tmp_path, board):
    """Neither is one measured, nor read from a file that somebody wrote."""
    path = tmp_path / "own.json"
    write_board(board, path)
    before = path.read_bytes()
    asked = ["measure", str(path), "--scenarios", "sequence-2-classes-1-3"]
    done = CliRunner().invoke(leaderboard, asked)
    said = "sequence-2-classes-1-3 is of 2 requests, and no board takes those: a record keeps the"
    assert done.exit_code == 2 and said in done.output and done.output.count("Error:") == 1
    assert path.read_bytes() == before
    path.write_text(before.decode().replace('"class-3"', '"sequence-2-classes-1-3"'))
    with pytest.raises(ValueError, match=r"own.json is not a board: sequence-2-classes-1-3 is of"):
        load_board(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must be an object"),
        ("{}", "expected schema_version 1"),
        ('{"schema_version": 1, "scope": "all"}', "scope must be one of"),
        ('{"schema_version": 1, "scope": "class-wise"}', "is not a board"),
    ],
)
def test_a_file_that_is_no_board_is_said_in_one_line(text, message, tmp_path):
    path = tmp_path / "board.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_board(path)


def test_the_shipped_boards_are_where_measure_writes_them():
    assert shipped_path("digits.class-wise").is_file()


def test_the_commands_are_listed_without_torch():
    script = "import sys, leaderboards.command; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "False"
