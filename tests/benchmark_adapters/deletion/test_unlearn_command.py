"""`suli unlearn`: what may be asked, what it says, what it writes, and what it refuses."""

import ast
import json
import os
import shlex
import shutil

import pytest
import torch
from accelerate import Accelerator
from digits_as_images import NAMES, UNLEARN, digits_folder, suli, with_classes
from small_images import own_cache  # noqa: F401  # an autouse fixture
from suli_in_two_processes import suli_in_two_processes

from benchmark_adapters.deletion.data import load_deletion_data
from benchmark_adapters.deletion.model_card import parted
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.receipt import read_receipt
from benchmark_adapters.deletion.request import make_request
from benchmark_adapters.deletion.unlearned_checkpoint import publishable_command, write_unlearned
from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.images.decoded_images import image_set
from benchmark_adapters.originals.checkpoints import CheckpointConfig
from benchmark_adapters.originals.load import load_original
from benchmark_adapters.records.record import check_record
from suli_plugin.evaluation import evaluate
from suli_plugin.plugins import registry


def ask(original, digits, *more, forget=("--forget-class", "three"), method="suli", code=0):
    return suli(
        *UNLEARN, "--model", original, "--dataset", digits, *forget, "--method", method, *more,
        code=code,
    )  # fmt: skip


def ids_file(folder, *ids):
    path = folder / "ids.txt"
    path.write_text("\n".join(ids) + "\n")
    return path


def test_a_class_is_forgotten_and_what_was_kept_is_measured(original, digits, tmp_path):
    out = tmp_path / "out"
    done = ask(original, digits, "--set", "sweeps=100", "--test", "test", "--retain", "train",
               "--output", out)  # fmt: skip
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("forgetting")]
    assert line.startswith("forgetting 42 samples, all of class three, of ")
    assert "with suli, reading the forget data alone" in line
    assert "measured before and after on: forget, retain, test; not measured: nothing" in line
    receipt = read_receipt(out)
    check_record(receipt["record"])
    before, after = receipt["original_metrics"], receipt["record"]["metrics"]
    assert before["forget_accuracy"] > 0.95 and after["forget_accuracy"] == 0
    assert after["test_forget_accuracy"] < before["test_forget_accuracy"]
    assert after["retain_accuracy"] > 0.8 and 0 <= after["mia_accuracy"] <= 1
    assert set(receipt["record"]["passes"]["forward"]) == {"forget"}
    assert f"{after['test_accuracy']:.4f}" in done.stdout and str(out) in done.stdout


def test_the_checkpoint_gives_the_very_logits_of_the_unlearned_model(original, digits, tmp_path):
    options = DataOptions(dataset=str(digits), forget_classes=("seven",), test="test")
    loaded, accelerator = load_original(original), Accelerator()
    config = loaded.config
    data = load_deletion_data(options, mean=config.mean, std=config.std)
    request = make_request(loaded, data, "su", {"epochs": 3}, registry())
    seen = []
    outcome = request.fulfil(accelerator, seen.append)
    write_unlearned(tmp_path / "out", request, outcome, options)
    again = load_original(tmp_path / "out").model
    for images in (data.test, data.forget):
        one, two = (
            evaluate(outcome.unlearned.model, images, accelerator),
            evaluate(again, images, accelerator),
        )
        assert torch.equal(one.logits, two.logits)
    assert not torch.equal(
        one.logits, evaluate(load_original(original).model, images, accelerator).logits
    )
    assert tuple(seen) == outcome.unlearned.history and seen


def test_the_folder_holds_a_checkpoint_a_card_the_licence_and_a_receipt(original, digits, tmp_path):
    out = tmp_path / "without-three"
    ask(original, digits, "--output", out, "--set", "lr=0.0002", forget=("--forget-class", "#3"))
    assert read_receipt(out)["dataset"]["options"]["forget_classes"] == ["three"]
    names = {path.name for path in out.iterdir()}
    assert names == {"model.safetensors", "config.json", "README.md", "LICENSE", "unlearning.json"}
    config = CheckpointConfig.from_json(json.loads((out / "config.json").read_text()))
    assert config.unlearning["method"] == "suli" and config.unlearning["forget_classes"] == [3]
    assert config.unlearning["hyperparameters"]["lr"] == 0.0002 and config.classes == NAMES
    card = (out / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: suli-plugin\nlicense: bsd-3-clause\n")
    assert "- machine-unlearning" in card and "base_model" not in card and "datasets:" not in card
    assert "| forget accuracy | 1.0000 |" in card and "| `lr` | `0.0002` |" in card
    assert "Not measured: retain accuracy (no retain data)." in card
    assert "Not measured: membership inference (no test data)." in card
    assert str(tmp_path) not in card + (out / "unlearning.json").read_text()


def test_the_forget_data_alone_are_enough(original, digits, tmp_path):
    from datasets import load_dataset

    only = tmp_path / "only-threes"
    files = {"train": str(digits / "plain_text" / "train-*.parquet")}
    rows = load_dataset("parquet", data_files=files, split="train", cache_dir=tmp_path / "cache")
    only.mkdir()
    rows.filter(lambda row: row["label"] == 3).to_parquet(only / "train.parquet")
    whole, alone = tmp_path / "whole", tmp_path / "alone"
    for folder, out in ((digits, whole), (only, alone)):
        ask(original, folder, "--output", out)
    a, b = read_receipt(whole), read_receipt(alone)
    assert a["reads"] == b["reads"] == ["forget"]
    # Ids count the rows of the split, so the sets' hashes differ; what was learnt does not.
    assert a["result"] == b["result"] and a["forget_set"]["count"] == b["forget_set"]["count"]


def test_listed_samples_are_forgotten_until_the_reference_accuracy(original, digits, tmp_path):
    names = [f"train-{row}" for row in range(0, 120, 3)]
    forget = ("--forget-ids", ids_file(tmp_path, *names))
    done = ask(original, digits, "--reference", "held", "--test", "test", "--json",
               "--set", "sweeps=10", "--output", tmp_path / "out", forget=forget)  # fmt: skip
    said = json.loads(done.stdout)
    assert "forgetting 40 single samples, of " in done.stderr
    assert "reading forget, reference" in done.stderr
    receipt = said["receipt"]
    assert sorted(names) == receipt["forget_set"]["ids"] and said["published"] is None
    assert receipt["record"]["scope"] == "instance-wise"
    assert "test_forget_accuracy" not in receipt["record"]["metrics"]
    assert read_receipt(tmp_path / "out")["record"] == receipt["record"]


def test_ids_of_a_column_and_exact_copies_left_behind(original, digits, tmp_path):
    from datasets import concatenate_datasets, load_dataset

    files = {"train": str(digits / "plain_text" / "train-*.parquet")}
    rows = load_dataset("parquet", data_files=files, split="train", cache_dir=tmp_path / "cache")
    rows = concatenate_datasets([rows, rows.select([5])])
    rows = rows.add_column("name", [f"scan-{row:04}" for row in range(len(rows))])
    (tmp_path / "d").mkdir()
    rows.to_parquet(tmp_path / "d" / "train.parquet")
    forget = ("--forget-ids", ids_file(tmp_path, "scan-0005"))
    done = ask(original, tmp_path / "d", "--id-column", "name", "--output", tmp_path / "out",
               "--allow-unchanged", forget=forget, method="original")  # fmt: skip
    assert "warning: 1 other sample is an exact copy of a forgotten image" in done.stderr
    assert "scan-0400 of scan-0005, in 'train'" in done.stderr
    assert "forgetting 1 single sample, of" in done.stderr
    card = (tmp_path / "out/README.md").read_text()
    assert "1 other sample is an exact copy of a forgotten image (`scan-0400` of" in card
    assert "was to forget 1 training sample of" in card
    assert "1 single sample; `unlearning.json` lists their ids" in card


def test_a_stored_split_gives_every_set_at_once(original, digits, tmp_path):
    for name, number in (("threes", "three"), ("fives", "#5")):
        suli("splits", "make", digits, "--name", name, "--forget-class", number, "--reference",
             0.2, "--output", tmp_path / "s")  # fmt: skip
    out = tmp_path / "out"
    done = ask(original, tmp_path / "s" / "threes", "--output", out, forget=())
    assert "measured before and after on: forget, retain, test" in done.stderr
    receipt, split = read_receipt(out), json.loads((tmp_path / "s/threes/split.json").read_text())
    assert receipt["forget_set"]["sha256"] == split["parts"]["forget"]["sha256"]
    assert receipt["dataset"]["stored_split"] == {"name": "threes", "sha256": split["sha256"]}
    assert receipt["dataset"]["sets"]["test"]["count"] == 240
    for more, dataset, why in (
        ((), tmp_path / "s", "holds several splits; name one"),
        (("--test", "test"), tmp_path / "s/threes", "leave out --test"),
        (("--forget-class", "#3"), tmp_path / "s/threes", "leave out --forget-class"),
    ):
        said = ask(original, dataset, *more, "--output", tmp_path / "o", forget=(), code=2)
        assert why in said.stderr


def test_images_are_resized_where_asked(original, tmp_path):
    large = digits_folder(tmp_path / "large", side=32)
    said = ask(original, large, "--output", tmp_path / "o", code=2)
    assert "the images are 32x32" in said.stderr and "pass --image-size 16" in said.stderr
    ask(original, large, "--image-size", "16", "--output", tmp_path / "o")
    hashes = read_receipt(tmp_path / "o")["dataset"]["sets"]["forget"]["sha256"]
    whole = image_set(load_base(large, split="train"))
    threes = whole.subset(torch.where(whole.labels == 3)[0])
    assert hashes == threes.content_hash()  # of the images before they were resized


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--forget-class", "cat"], "has no class 'cat'; its classes: zero, one, two"),
        (["--forget-class", "12"], "has no class '12'"),
        (["--forget-class", "3"], "has no class '3'; its classes: zero"),
        ([], "say what to forget, in one way"),
        (["--forget-class", "#3", "--method", "sulu"], "unknown method 'sulu'; known: "),
        (["--forget-class", "#3", "--method", "suli@best"], "suli has no preset 'best'"),
        (["--forget-class", "#3", "--set", "rate=1"], "suli has no hyper-parameter 'rate'"),
        (["--forget-class", "#3", "--set", "lr=-1"], "suli.lr must be at least 0"),
        (["--forget-class", "#3", "--set", "lr"], "--set takes FIELD=VALUE, got 'lr'"),
        (["--forget-class", "#3", "--method", "finetune"], "finetune needs 'retain'"),
        (
            ["--forget-class", "#3", "--method", "amnesiac"],
            "amnesiac needs the original's training, which a published original does not bring; "
            "choose another method",
        ),
        (["--forget-class", "#3", "--test", "train"], "--test takes data never trained on"),
        (["--forget-class", "#3", "--test", "dev"], "'dev'"),
        (["--forget-class", "#3", "--test", "test", "--reference", "test"], "needs other data"),
        (["--forget-class", "#3", "--create-pr"], "are for --push org/name"),
        (["--forget-class", "#3", "--push", "name"], "a repository is named org/name, got 'name'"),
        (["--forget-class", "#3", "--mixed-precision", "fp16"], "fp16 on a CPU"),
        (["--forget-class", "#3", "--seed", "-1"], "-1 is not in the range"),
        (["--forget-class", "#3", "--at-most", "nan"], "--at-most takes a fraction from 0 to 1"),
        (["--forget-where", "person"], "--forget-where takes COLUMN=VALUE, got 'person'"),
        (["--forget-class", "#3", "--mean", "a"], "--mean takes numbers such as"),
        (["--forget-class", "#3", "--train-split", "dev"], "'dev'"),
        ([f for name in NAMES for f in ("--forget-class", name)], "every class is forgotten"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_request_is_one_line(arguments, why, original, digits, tmp_path):
    before = sorted(tmp_path.iterdir())
    arguments = ["--method", "suli", *arguments, "--output", tmp_path / "out"]
    said = suli(*UNLEARN, "--model", original, "--dataset", digits, *arguments, code=2)
    *_, line = said.stderr.splitlines()
    assert line.startswith("Error: ") and why in line, said.stderr
    assert not (tmp_path / "out").exists() and sorted(tmp_path.iterdir()) in (
        before, [tmp_path / "decoded-cache"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "method", "why"),
    [
        (["train-1", "train-9000"], "suli", "1 of 2 ids are not in split 'train'"),
        (["train-1"], "suli", "suli needs 'reference' for instance-wise unlearning: pass --ref"),
        (["train-1"], "logit_mask", "logit_mask supports class-wise unlearning"),
        ([""], "suli", "holds no id"),
    ],
)
def test_a_mistake_in_listed_ids_is_one_line(lines, method, why, original, digits, tmp_path):
    forget = ("--forget-ids", ids_file(tmp_path, *lines))
    said = ask(original, digits, "--output", tmp_path / "o", forget=forget, method=method, code=2)
    assert why in said.stderr.splitlines()[-1]


def test_an_original_that_does_not_belong_to_the_data_is_refused(original, digits, tmp_path):
    five = digits_folder(tmp_path / "five", classes=5)
    nameless = with_classes(original, tmp_path / "nameless", None)
    said = ask(nameless, five, "--output", tmp_path / "o", code=2)
    assert "has 5 classes, and" in said.stderr and "has 10 outputs" in said.stderr
    turned = with_classes(original, tmp_path / "turned", NAMES[::-1])
    said = ask(turned, digits, "--output", tmp_path / "o", code=1)
    assert "data and original do not seem to belong together" in said.stderr


def test_what_is_no_original_or_no_data_is_refused(original, digits, tmp_path):
    said = ask(tmp_path / "nowhere", digits, "--output", tmp_path / "o", code=1)
    assert "is neither here nor a repository" in said.stderr
    said = ask(original, tmp_path / "nowhere", "--output", tmp_path / "o", code=2)
    assert "is neither here nor a repository" in said.stderr


def test_an_output_that_is_there_is_replaced_only_by_force(original, digits, tmp_path):
    out = tmp_path / "out"
    ask(original, digits, "--output", out, "--allow-unchanged", method="original")
    first = read_receipt(out)
    said = ask(original, digits, "--output", out, method="su", code=2)
    assert f"{out} exists" in said.stderr and read_receipt(out) == first
    assert "forgetting" not in said.stderr  # said before the long work, not after it
    ask(original, digits, "--output", out, "--force", method="su")
    assert read_receipt(out)["record"]["method"] == "su"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    said = ask(original, digits, "--output", tmp_path / "mine", "--force", code=2)
    assert "holds no checkpoint" in said.stderr and (tmp_path / "mine" / "thesis.txt").exists()


@pytest.mark.parametrize("name", ['two "words"', "a$b `c` \\d"])
def test_the_card_of_an_oddly_named_folder_is_true(name, original, digits, tmp_path):
    out = tmp_path / name
    ask(original, digits, "--output", out, "--allow-unchanged", method="original")
    text = (out / "README.md").read_text(encoding="utf-8")
    loaded = next(line for line in text.splitlines() if "= load_original(" in line)
    argument = loaded.removeprefix("model = load_original(").removesuffix(").model")
    assert ast.literal_eval(argument) == name and parted(text)[1] == name
    assert f"`suli receipt verify {shlex.quote(name)}` computes" in text


def test_the_original_is_not_replaced_by_what_was_made_of_it(original, digits, tmp_path):
    net = shutil.copytree(original, tmp_path / "net")
    said = ask(net, digits, "--output", net, "--force", method="su", code=2)
    assert f"--output {net} is the original itself (--model)" in said.stderr
    assert load_original(net).sha256 == load_original(original).sha256


def test_an_output_that_cannot_be_written_is_found_before_unlearning(original, digits, tmp_path):
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "out"
    said = ask(original, digits, "--output", out, code=1)
    assert f"Error: cannot write {out}" in said.stderr and "forgetting" not in said.stderr


def test_a_disk_without_room_is_found_before_unlearning(original, digits, tmp_path, monkeypatch):
    free = shutil.disk_usage(tmp_path)._replace(free=1_000)
    monkeypatch.setattr("shutil.disk_usage", lambda place: free)
    said = ask(original, digits, "--output", tmp_path / "new" / "out", code=1)
    assert f"Error: cannot write {tmp_path / 'new' / 'out'}: the weights take" in said.stderr
    assert "forgetting" not in said.stderr and not (tmp_path / "new").exists()


def test_every_file_of_a_checkpoint_is_readable_as_the_umask_says(original, digits, tmp_path):
    before = os.umask(0o027)
    try:
        ask(original, digits, "--output", tmp_path / "out", method="bn_drift")
    finally:
        os.umask(before)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "out").iterdir()}
    assert set(modes.values()) == {"0o640"}, modes


def test_a_control_is_called_one(original, digits, tmp_path):
    done = ask(original, digits, "--output", tmp_path / "o", method="bn_drift")
    assert "bn_drift (a control, which forgets nothing honestly)" in done.stderr
    assert "is a control: it forgets nothing honestly" in (tmp_path / "o/README.md").read_text()


@pytest.mark.slow
def test_two_processes_unlearn_together_and_one_writes(original, digits, tmp_path):
    done = suli_in_two_processes(
        *UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "three",
        "--method", "suli", "--output", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr.count("forgetting 42 samples") == done.stdout.count("written to") == 1
    assert read_receipt(tmp_path / "out")["record"]["processes"] == 2


@pytest.mark.slow
@pytest.mark.real_data
def test_resnet20_from_the_hub_forgets_automobiles(hub, real_data, tmp_path):
    net = hub.seed_repo("ada/resnet20", "model", real_data / "checkpoints" / "resnet20-cifar10")
    data = hub.seed_repo("uoft-cs/cifar10", "dataset", real_data / "cifar10")
    out = tmp_path / "out"
    # One of the ten sweeps that the preset allows: all of them take minutes.
    done = ask("ada/resnet20", "uoft-cs/cifar10", "--set", "sweeps=1", "--mixed-precision", "bf16",
               "--output", out, "--push", "ada/resnet20", "--create-pr",
               forget=("--forget-class", "automobile"), method="suli@official")  # fmt: skip
    assert "forgetting 5000 samples, all of class automobile, of uoft-cs/cifar10" in done.stderr
    receipt = read_receipt(out)
    assert receipt["original_metrics"]["forget_accuracy"] == pytest.approx(0.9992, abs=0.001)
    assert receipt["record"]["metrics"]["forget_accuracy"] < 0.5
    assert len(receipt["record"]["history"]) == 10 and receipt["forget_set"]["copies"] == []
    assert receipt["original"]["commit"] == net.commit_at().sha
    assert receipt["dataset"]["commit"] == data.commit_at().sha
    pulled = load_original("ada/resnet20", revision="refs/pr/1")
    assert pulled.sha256 == receipt["result"]["sha256"] and pulled.config.classes[1] == "automobile"
    checks = json.loads(suli("receipt", "verify", out, "--json").stdout)
    assert {check["state"] for check in checks} == {"matches"}, checks


def test_the_command_in_a_receipt_shows_no_path_and_no_token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecret")
    arguments = [
        *["/usr/bin/suli", "unlearn", "--model", "/home/ada/nets/x", "--dataset=/data/d"],
        *["--output", "../../o", "--set", "a=hf_secretsecret", "--method", "suli"],
    ]
    assert publishable_command(arguments) == (
        "suli unlearn --model x --dataset=d --output o --set a=(token) --method suli"
    )
