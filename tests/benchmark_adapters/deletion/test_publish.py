"""`suli unlearn --push` and `suli publish` against the loopback Hub, and a Hub that fails."""

import json
from functools import partial

import pytest
import torch
from digits_as_images import UNLEARN, digits_folder, suli
from original_layouts_example import (
    CIFAR10_MEAN,
    CIFAR10_STD,
    akamaster,
    edadaltocg,
    timm,
    transformers,
)
from small_images import own_cache  # noqa: F401  # an autouse fixture
from taught_digits import taught

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.deletion.judgement import outcome
from benchmark_adapters.deletion.publish import publish
from benchmark_adapters.deletion.receipt import read_receipt
from benchmark_adapters.originals.layouts import IMAGENET_MEAN, IMAGENET_STD
from benchmark_adapters.originals.load import load_original

NET = "ada/net"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("benchmark_adapters.hub.push.WAITS", (0.0, 0.0, 0.0))


def logits(model):
    torch.manual_seed(0)
    model.eval()
    with torch.no_grad():
        output = model(torch.rand(4, 3, 32, 32))
    return getattr(output, "logits", output)


def layouts(tmp_path):
    """For each layout the files of an original that knows five digits in images of 32x32."""

    def cifar(model):
        return taught(model, CIFAR10_MEAN, CIFAR10_STD)

    half = partial(taught, mean=[0.5] * 3, std=[0.5] * 3)
    nets = {
        "akamaster": lambda: akamaster(
            taught(build_architecture("cifar_resnet20", 5), IMAGENET_MEAN, IMAGENET_STD)
        ),
        "edadaltocg": lambda: edadaltocg(cifar(build_architecture("cifar_resnet18", 5))),
        "timm": lambda: timm(tmp_path / "timm", half)[1],
        "transformers": lambda: transformers(tmp_path / "transformers", teach=cifar)[1],
    }
    return nets


@pytest.mark.parametrize("layout", ["akamaster", "edadaltocg", "timm", "transformers"])
def test_an_original_of_each_layout_is_pulled_unlearned_and_proposed(layout, hub, tmp_path):
    if layout in ("timm", "transformers"):
        pytest.importorskip(layout, reason=f"the extra {layout} is not installed")
    (tmp_path / layout).mkdir()
    net = hub.seed_repo(NET, "model", layouts(tmp_path)[layout]())
    pinned = net.commit_at().sha
    hub.seed_repo(NET, "model", {"notes.txt": b"a later commit"})
    pictures = digits_folder(tmp_path / "d", side=32, classes=5, train=40, test=30)
    data = hub.seed_repo("ada/digits", "dataset", pictures)
    done = suli(
        *UNLEARN, "--model", f"{NET}@{pinned}", "--dataset", "ada/digits", "--forget-class", "two",
        "--method", "su", "--set", "epochs=1", "--test", "test", "--output", tmp_path / "out",
        "--push", NET, "--create-pr", "--json",
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert said["published"]["revision"] == "refs/pr/1" and said["published"]["pull_request"] == 1
    assert said["published"]["url"].endswith(f"{NET}/discussions/1")
    assert said["receipt"]["original"]["commit"] == pinned
    assert said["receipt"]["dataset"]["commit"] == data.commit_at().sha
    here = load_original(tmp_path / "out")
    there = load_original(NET, revision="refs/pr/1")
    assert there.weights_file == "model.safetensors"
    assert torch.equal(logits(there.model), logits(here.model))
    proposed = net.files("refs/pr/1")
    assert not [name for name in proposed if name.endswith((".th", ".bin"))]
    assert "unlearning.json" in proposed and "notes.txt" in proposed
    assert "unlearning.json" not in net.files()  # main is as it was


def test_a_hub_original_stands_in_card_and_evaluation_results(hub, original, digits, tmp_path):
    from huggingface_hub import ModelCard, parse_eval_result_entries
    from yaml import safe_load

    net = hub.seed_repo(NET, "model", original)
    data = hub.seed_repo("ada/digits", "dataset", digits)
    out = tmp_path / "out"
    suli(*UNLEARN, "--model", NET, "--dataset", "ada/digits", "--forget-class", "three",
         "--method", "suli", "--test", "test", "--output", out, "--push", "ada/new",
         "--private")  # fmt: skip
    card = ModelCard.load(out / "README.md", ignore_metadata_errors=False)
    assert card.data.base_model == NET and card.data.datasets == ["ada/digits"]
    assert card.data.license == "bsd-3-clause" and "machine-unlearning" in card.data.tags
    assert net.commit_at().sha in card.text and 'load_original("ada/new")' in card.text
    entries = parse_eval_result_entries(safe_load((out / ".eval_results/digits.yaml").read_text()))
    assert {entry.dataset_revision for entry in entries} == {data.commit_at().sha}
    metrics = read_receipt(out)["record"]["metrics"]
    assert {entry.task_id: entry.value for entry in entries} == metrics
    new = hub.repo("model", "ada/new")
    assert new.private and len(new.history()) == 2  # the repository's own first, and ours
    assert ".eval_results/digits.yaml" in new.files()
    # Everything the receipt says can be had from the Hub alone.
    checks = json.loads(suli("receipt", "verify", out, "--json").stdout)
    assert {check["state"] for check in checks} == {"matches"}, checks


def test_the_same_checkpoint_is_not_pushed_twice(hub, checkpoint):
    said = suli("publish", checkpoint, NET).stdout
    commit = hub.repo("model", NET).commit_at().sha
    assert f"published: {NET}@{commit}" in said
    again = suli("publish", checkpoint, NET, "--json").stdout
    assert json.loads(again)["changed"] is False and json.loads(again)["revision"] == commit
    hub.seed_repo("org/net", "model", {"README.md": b"# net"})
    for changed in (True, False):
        pushed = publish(checkpoint, "org/net", create_pr=True)
        assert (pushed.pull_request, pushed.changed) == (1, changed)


@pytest.mark.parametrize("create_pr", [False, True])
def test_an_answer_that_is_lost_makes_no_second_push(create_pr, hub, checkpoint):
    net = hub.seed_repo(NET, "model", {"README.md": b"# net"})
    fault = hub.fail(r"POST /api/models/ada/net/commit/", kind="lost")
    pushed = publish(checkpoint, NET, create_pr=create_pr)
    assert fault.struck == 1 and not pushed.changed
    assert len(net.discussions) == create_pr and len(net.history(pushed.revision)) == 2


@pytest.mark.parametrize(
    ("match", "kind"),
    [
        (r"POST /api/repos/create", "status"),
        (r"POST .*/commit/main", "status"),
        (r"POST .*/preupload/", "status"),
        (r"PUT /lfs/", "drop"),
        (r"PUT /lfs/", "corrupt"),
        (r"POST .*/commit/main", "drop"),
    ],
)
def test_trouble_that_passes_is_waited_for(match, kind, hub, checkpoint):
    fault = hub.fail(match, kind=kind)
    pushed = publish(checkpoint, NET)
    assert fault.struck == 1
    assert torch.equal(
        logits(load_original(NET, revision=pushed.revision).model),
        logits(load_original(checkpoint).model),
    )


@pytest.mark.slow  # the client itself tries for twenty seconds
def test_a_push_that_fails_leaves_the_output_whole_and_says_how_to_go_on(
    hub, original, digits, tmp_path
):
    fault = hub.fail(r"PUT /lfs/", kind="drop", times=None)
    out = tmp_path / "out"
    said = suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "three",
                "--method", "suli", "--output", out, "--push", NET, "--private",
                code=1)  # fmt: skip
    *_, line = said.stderr.splitlines()
    again = f"suli publish {out} {NET} --private"
    assert f"the checkpoint is whole in {out}; publish it later with `{again}`" in line
    assert fault.struck and "unlearning.json" not in hub.repo("model", NET).files()
    hub.faults.clear()
    suli(*again.split()[1:])
    assert hub.repo("model", NET).private
    pushed = load_original(NET)
    assert torch.equal(logits(pushed.model), logits(load_original(out).model))


def test_who_may_not_write_is_told_to_propose(hub, checkpoint, monkeypatch):
    hub.add_user("eve", "hf_eve")
    net = hub.seed_repo(NET, "model", {"README.md": b"# net"})
    monkeypatch.setenv("HF_TOKEN", "hf_eve")
    said = suli("publish", checkpoint, NET, code=1).stderr
    assert "you have no right to write there; pass --create-pr" in said
    said = suli("publish", checkpoint, NET, "--create-pr").stdout
    assert f"published: {NET}@refs/pr/1" in said and net.discussions[0].author == "eve"


def test_another_model_is_replaced_only_by_force_and_its_weights_go(hub, checkpoint):
    net = hub.seed_repo(NET, "model", akamaster())
    said = suli("publish", checkpoint, NET, code=2).stderr
    assert "holds another model (resnet20-12fca82f.th); propose this one with --create-pr" in said
    suli("publish", checkpoint, NET, "--force")
    assert "resnet20-12fca82f.th" not in net.files() and "model.safetensors" in net.files()
    assert "may still hold what was forgotten: resnet20-12fca82f.th" in net.history()[0].description
    told, receipt = net.history()[0].description, read_receipt(checkpoint)
    assert told.startswith("42 samples to be forgotten with suli, from original. The outcome is ")
    assert f"{outcome(receipt)}." in told


# What may hold a model's weights, by its name or by its first bytes, and what may not.
HOLDERS = {
    "checkpoint-500/model.safetensors": b"w", "original/w.pth": b"w", "onnx/model.onnx": b"w",
    "tf_model.h5": b"w", "flax_model.msgpack": b"w", "last.ckpt": b"w", "model.pkl": b"w",
    "q4.gguf": b"w", "MODEL.SafeTensors": b"w", "weights.PT": b"w", "all.zip": b"w",
    "model.safetensors.index.json": b"{}", "pytorch_model.bin.index.json": b"{}",
    "model.bin.part1": b"w", ".eval_results/other.yaml": b"- value: 1.0",
    "saved/variables/variables.data-00000-of-00001": b"\x80\x02w", "blob": b"\x00\x01\x02",
    "weights.txt": b"\x80\x02}q\x00", "picture.png": b"\x80\x02}q\x00",
    # Its first 512 bytes end like a text that is cut in the middle of a character.
    "zeros": b"\0" * 511 + "ä".encode(),
}  # fmt: skip
HARMLESS = {
    "notes.txt": b"# " + "näh".encode() * 500, "vocab.json": b"{}", "empty": b"",
    "plot.png": b"\x89PNG\r\n\x1a\n\x00\x00", "paper.pdf": b"%PDF-1.7\n\x80\x81", "run.py": b"pass",
}  # fmt: skip


def test_whatever_may_hold_weights_goes_in_the_same_commit(hub, checkpoint):
    net = hub.seed_repo(NET, "model", HOLDERS | HARMLESS)
    said = suli("publish", checkpoint, NET, code=2).stderr
    assert not [name for name in HOLDERS if name not in said]
    assert not [name for name in HARMLESS if name in said]
    suli("publish", checkpoint, NET, "--force")
    assert len(net.history()) == 2 and not HOLDERS.keys() & net.files().keys()
    assert HARMLESS.keys() <= net.files().keys()
    description = net.history()[0].description
    assert not [name for name in HOLDERS if name not in description]


@pytest.mark.parametrize("name", HOLDERS)
def test_a_repository_with_one_such_file_alone_is_not_free(name, hub, checkpoint):
    net = hub.seed_repo(NET, "model", {"README.md": b"# net", name: HOLDERS[name]})
    with pytest.raises(ValueError, match=r"holds another model \(") as caught:
        publish(checkpoint, NET)
    assert f"({name})" in str(caught.value) and len(net.history()) == 1


def test_what_a_pull_request_leaves_behind_goes_with_it(hub, checkpoint):
    net = hub.seed_repo(NET, "model", HOLDERS)
    suli("publish", checkpoint, NET, "--create-pr")
    assert not HOLDERS.keys() & net.files("refs/pr/1").keys() and net.files() == HOLDERS


def between(monkeypatch, work):
    """Do something once, between a publisher's look at the repository and its commit."""
    from huggingface_hub import HfApi

    commit, waiting = HfApi.create_commit, [work]

    def create_commit(self, *arguments, **options):
        while waiting:
            waiting.pop()()
        return commit(self, *arguments, **options)

    monkeypatch.setattr(HfApi, "create_commit", create_commit)


@pytest.fixture
def other(checkpoint, original, digits, tmp_path):
    """Another unlearned checkpoint."""
    out = tmp_path / "other"
    suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "five",
         "--method", "suli", "--output", out)  # fmt: skip
    return out


def test_the_second_of_two_publishers_is_refused(hub, checkpoint, other, monkeypatch):
    net = hub.seed_repo(NET, "model", {"README.md": b"# net"})
    between(monkeypatch, lambda: publish(other, NET))
    with pytest.raises(ValueError, match="holds another model"):
        publish(checkpoint, NET)
    first, *_ = net.history()
    assert "five" in first.title and len(net.history()) == 2


def test_with_force_the_second_of_two_is_made_again_on_top(hub, checkpoint, other, monkeypatch):
    net = hub.seed_repo(NET, "model", {"README.md": b"# net"})
    between(monkeypatch, lambda: (publish(other, NET), hub.seed_repo(NET, "model", {
        "late.ckpt": b"w"})))  # fmt: skip
    publish(checkpoint, NET, force=True)
    titles = [commit.title.split(" [")[0] for commit in net.history()]
    assert titles == ["Unlearn three", "Update files", "Unlearn five", "initial commit"]
    # It looked again: what came between is gone, too.
    assert "late.ckpt" not in net.files()


def test_a_note_that_comes_between_stays(hub, checkpoint, monkeypatch):
    net = hub.seed_repo(NET, "model", {"README.md": b"# net"})
    between(monkeypatch, lambda: hub.seed_repo(NET, "model", {"notes.txt": b"mine"}))
    publish(checkpoint, NET)
    assert net.files()["notes.txt"] == b"mine" and "unlearning.json" in net.files()
    assert hub.count(r"POST /api/models/ada/net/commit/main") == 2


def test_two_proposals_at_once_are_one_pull_request(hub, checkpoint, monkeypatch):
    net = hub.seed_repo(NET, "model", {"README.md": b"# net"})
    between(monkeypatch, lambda: publish(checkpoint, NET, create_pr=True))
    pushed = publish(checkpoint, NET, create_pr=True)
    assert pushed.pull_request == 1 and not pushed.changed
    first, second = net.discussions
    assert first.status in ("open", "draft") and second.status == "closed"


def test_the_card_names_the_repository_also_when_published_later(
    hub, unlearned, checkpoint, original, digits
):
    mine, folder = (checkpoint / "README.md").read_text(), unlearned.name
    assert f'load_original("{folder}")' in mine and f"`suli receipt verify {folder}`" in mine
    suli("publish", checkpoint, NET)
    there = hub.repo("model", NET).files()["README.md"].decode()
    assert 'load_original("ada/net")' in there and "`suli receipt verify ada/net`" in there
    assert (checkpoint / "README.md").read_text() == mine
    done = suli("receipt", "verify", NET, "--model", original, "--dataset", digits, "--json")
    assert {check["state"] for check in json.loads(done.stdout)} == {"matches"}
    # As the line of the card says, at any revision of it.
    commit = hub.repo("model", NET).commit_at().sha
    suli("receipt", "verify", f"{NET}@{commit}", "--allow-unchecked")
    hub.seed_repo("ada/copy", "model", hub.repo("model", NET).files())
    said = suli("receipt", "verify", "ada/copy", "--allow-unchecked", code=1).stdout
    assert "differs      README.md: it says to load ada/net, and this is ada/copy" in said


def test_caches_and_git_attributes_are_no_findings_and_not_published(hub, checkpoint):
    (checkpoint / ".cache/huggingface/download").mkdir(parents=True)
    (checkpoint / ".cache/huggingface/download/config.json.metadata").write_text("x")
    (checkpoint / ".gitattributes").write_text("*.bin filter=lfs")
    suli("publish", checkpoint, NET)
    files = hub.repo("model", NET).files()
    assert ".gitattributes" in files and files[".gitattributes"] != b"*.bin filter=lfs"
    assert not [name for name in files if name.startswith(".cache")]
    for place in (checkpoint, NET):
        done = suli("receipt", "verify", place, "--allow-unchecked", "--json")
        named = {check["what"] for check in json.loads(done.stdout)}
        assert not [name for name in named if name.startswith((".cache", ".git"))]


@pytest.mark.parametrize("name", ["model.safetensors", "README.md", "unlearning.json"])
def test_an_altered_checkpoint_is_not_published(name, hub, checkpoint):
    path = checkpoint / name
    path.write_bytes(path.read_bytes().replace(b"8", b"9", 1))
    said = suli("publish", checkpoint, NET, code=2).stderr
    assert name in said and "not published" in said
    assert hub.count("POST") == 0


def test_without_a_token_the_message_says_so(
    hub, checkpoint, original, digits, tmp_path, monkeypatch
):
    hub.seed_repo("ada/secret", "model", original, private=True)
    hub.seed_repo("ada/hidden", "dataset", digits, private=True)
    monkeypatch.delenv("HF_TOKEN")
    said = suli("publish", checkpoint, NET, code=1).stderr
    assert "token" in said.splitlines()[-1] and "Traceback" not in said
    common = ("--forget-class", "three", "--method", "suli", "--output", tmp_path / "o")
    said = suli(*UNLEARN, "--model", "ada/secret", "--dataset", digits, *common, code=1).stderr
    assert "ada/secret" in said and "private" in said.splitlines()[-1]
    said = suli(*UNLEARN, "--model", original, "--dataset", "ada/hidden", *common, code=1).stderr
    assert "private and needs a token" in said and not (tmp_path / "o").exists()


def test_a_revision_or_file_that_is_missing_is_named(hub, original, digits, tmp_path):
    hub.seed_repo(NET, "model", original)
    hub.seed_repo("ada/digits", "dataset", digits)
    common = ("--forget-class", "three", "--method", "suli", "--output", tmp_path / "o")
    said = suli(*UNLEARN, "--model", f"{NET}@v9", "--dataset", digits, *common, code=1).stderr
    assert "no such branch, tag or commit" in said.splitlines()[-1]
    said = suli(*UNLEARN, "--model", NET, "--dataset", "ada/digits@v9", *common, code=1).stderr
    assert "no such branch, tag or commit" in said.splitlines()[-1]


def test_the_token_is_in_no_output_and_no_message(hub, original, digits, tmp_path, monkeypatch):
    token = "hf_averysecrettoken"
    hub.add_user("ann", token)
    monkeypatch.setenv("HF_TOKEN", token)
    hub.seed_repo(NET, "model", original)
    out, common = tmp_path / "out", ("--forget-class", "three", "--method", "suli")
    ask = (*UNLEARN, "--model", NET, "--dataset", digits, *common, "--output", out)
    done = [
        suli(*ask, "--push", NET, code=1),
        suli(*ask, "--force", "--push", NET, "--create-pr", "--json"),
        suli(*UNLEARN, "--model", f"ada/{token}", "--dataset", digits, *common,
             "--output", tmp_path / "o", code=1),
        suli(*UNLEARN, "--model", NET, "--dataset", digits, "--forget-class", token, "--method",
             "suli", "--output", tmp_path / "o", code=2),
    ]  # fmt: skip
    assert not [each for each in done if token in each.output]
    files = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    assert len(files) >= 5 and not [content for content in files if token.encode() in content]
    net = hub.repo("model", NET)
    assert all(token.encode() not in content for content in net.files("refs/pr/1").values())
