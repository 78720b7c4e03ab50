"""The paper's tables from scratch: on digits and a small network, two batches an epoch."""

import json

import pytest
from accelerate import Accelerator
from digits_as_images import suli
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks import real_images
from benchmark_adapters.benchmarks.cifar10 import Cifar10ResNet18
from leaderboards.board.board import load_board
from leaderboards.board.measure import board_options
from leaderboards.reproduction.from_scratch import FromScratch, shortened
from leaderboards.reproduction.place import Place
from suli_plugin.method_rows import FORGET_ONLY, group_of
from suli_plugin.plugins import load_plugins

REGISTRY = load_plugins(strict=True)
QUICK = Retrain(epochs=1, plain_epochs=1, batch_size=150)
FEW = ("--row", "original", "--row", "retrain", "--row", "neg_grad",
       "--cell", "class-*/0", "--cell", "instance-64/0", "--limit-images", 300)  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The setting with a small network and one epoch of two batches in ResNet-18's place."""
    monkeypatch.setattr(Cifar10ResNet18, "architecture", "cosine_convnet")
    monkeypatch.setattr(Cifar10ResNet18, "recipe", QUICK)
    monkeypatch.setattr(Cifar10ResNet18, "settings", {"retrain": QUICK.recipe()})
    monkeypatch.setattr(Cifar10ResNet18, "relearn_updates", 2)
    real_images.forget_what_was_read()
    yield
    real_images.forget_what_was_read()


def said(*arguments, code=0):
    return suli("reproduce", *arguments, code=code).output


def rows(text, table):
    """The cells of a table's lines, by method and place."""
    (block,) = [part for part in text.split("Table ") if part.startswith(table)]
    lines = [[cell.strip() for cell in line.split("  ") if cell.strip()]
             for line in block.splitlines()]  # fmt: skip
    return {tuple(line[:2]): line[2:] for line in lines if len(line) > 2}


def test_the_tables_stand_beside_the_papers_and_a_run_that_was_cut_off_goes_on(digits, tmp_path):
    common = ("paper", "--from-scratch", "--data", digits, "--output", tmp_path)
    nothing = said(*common, *FEW)
    assert "Table" not in nothing and "0 of 33 records" in nothing
    text = said(*common, *FEW, "--run")
    assert "a trial on 300 training images" in text and "33 of 33 records" in text
    accuracies = rows(text, "2:")
    assert accuracies["retrain", "paper, ResNet-18"][1] == "0.0 ± 0.0"
    ours = accuracies["retrain", "ours, ResNet-18, mean of 10 classes"]
    assert ours[1] == ours[3] == "0.0 ± 0.0" and ours[-1] == "10"
    assert accuracies["suli", "paper, ResNet-18"][0] == "96.0 ± 0.1"
    assert ("neg_grad", "ours, ResNet-18, mean of 10 classes") in accuracies
    assert "n = 64" in text and "Table 4: " in text and "Table 5: " in text

    paths = sorted(tmp_path.glob("cifar10-resnet18/*/*/*.json"))
    records = [json.loads(path.read_text()) for path in paths]
    retrains = {r["scenario"]: r["unlearned_hash"] for r in records if r["method"] == "retrain"}
    assert len(records) == 33 and len(set(retrains.values())) == 11
    board = load_board("cifar10-resnet18.class-wise")
    for path, record in zip(paths, records, strict=True):
        assert record["compared_with"] == retrains[record["scenario"]] and record["same_recipe"]
        assert record["precision"] == "bf16" and record["original"]["recipe"] == QUICK.recipe()
        kept = path.with_suffix(".safetensors").is_file()
        assert kept == (record["method"] == "retrain") == bool(record["evidence"])
        # The limit is told, and no board has it among its options.
        assert record["options"]["limit_images"] == 300
        assert board_options(record["options"]).keys() - board.options.keys() == {"limit_images"}

    lost = [path for path in paths if path.parent.name == "neg_grad"][:2]
    before = {path: path.read_bytes() for path in paths}
    for path in lost:
        path.unlink()
    assert "31 of 33 records" in said(*common, *FEW)
    again = said(*common, *FEW, "--run")
    assert {p for p in paths if p.read_bytes() != before[p]} <= set(lost)
    for path in lost:
        made, was = json.loads(path.read_text()), json.loads(before[path])
        assert made["metrics"] == was["metrics"]
        assert made["compared_with"] == was["compared_with"]
    assert rows(again, "2:") == accuracies


def test_the_whole_plan_has_what_the_tables_need(digits):
    scratch = FromScratch.planned(REGISTRY, Accelerator(), Place(data=str(digits)))
    cells = {(cell.scenario, cell.label): cell for cell in scratch.cells}
    assert len(cells) == len(scratch.cells)
    classes = {f"class-{label}" for label in range(10)}
    for label in ("original", "retrain", "neg_grad", "adv_imp", "su@official", "suli@official"):
        assert {scenario for scenario, of in cells if of == label} == classes | {
            "instance-64", "instance-512",
        }  # fmt: skip
    known = {
        name for name, cls in REGISTRY.unlearners.items()
        if group_of(cls) == FORGET_ONLY and "class-wise" in cls.needs
    }  # fmt: skip
    assert known <= {of for scenario, of in cells if scenario == "class-1"}
    assert {cell.seed for cell in scratch.cells} == {0}
    # Shorter than published, alike wherever it runs, and told.
    (told,) = shortened([{"method": "adv_imp"}, {"method": "su@official"}])
    assert "adv_imp is no row as published: adversarial_images=1, iterations=20" in told
    assert {c.unlearner.iterations for (_, of), c in cells.items() if of == "adv_imp"} == {20}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from-scratch"], "makes the paper's tables"),
        (["digits", "--from-scratch"], "not digits: name paper"),
        (["paper", "--from-scratch", "--original", "x"], "leave out --original"),
        (["paper", "--from-scratch", "--row", "nothing"], "no cell is meant"),
        (["paper", "--limit-images", 5], "--limit-images is a trial of --from-scratch"),
    ],
)
def test_what_cannot_be_made_is_wrong_usage(digits, arguments, message):
    assert message in said(*arguments, "--data", digits, code=2)


def test_the_json_has_the_records_and_the_limit(digits, tmp_path):
    few = ("--row", "original", "--cell", "class-1/0", "--limit-images", 300, "--json")
    text = said("paper.table-2", "--from-scratch", "--data", digits, "--output", tmp_path, *few)
    found = json.loads(text[text.index("{") :])
    assert found["options"]["limit_images"] == 300 and found["records"] == []
    assert found["cells"] == ["class-1 original seed 0"]
