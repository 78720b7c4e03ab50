"""Every command and every block of code in the README runs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from readme import README, blocks, tagged, walked, with_cifar10
from repository import ROOT

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.options import RETRAINS
from benchmark_adapters.grid.retrains import audit_labels
from suli_plugin.plugins import registry

EXAMPLE = ROOT / "tests/support/example_plugin"


def commands():
    return [line for block in blocks("sh") for line in block.splitlines() if line.strip()]


# These name repositories on the Hub, which the test below serves from loopback.
HUB = tagged("hub")
# These need real images, in folders of these names.
REAL, REAL_AUDIT = tagged("real"), tagged("real-audit")
AUDIT, FAST, SEQUENCES = tagged("audit"), tagged("fast"), tagged("sequences")
WORKERS, CLUSTER = tagged("workers"), tagged("cluster")
APART = [*HUB, *REAL, *REAL_AUDIT, *AUDIT, *FAST, *SEQUENCES, *WORKERS, *CLUSTER]
SETUP, TESTS, *INSTALLED = [command for command in commands() if command not in APART]


def test_every_kind_of_block_is_known():
    """A block of another language would escape the tests below."""
    assert set(re.findall(r"^```(\w+)$", README, re.MULTILINE)) == {
        "sh",
        "python",
        "toml",
        "bibtex",
    }


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """A clone where the first command has run, and what it printed.

    In a fresh virtual environment; only the dependencies are lent by the running one.
    """
    clone = tmp_path_factory.mktemp("readme") / "clone"
    keep_out = shutil.ignore_patterns(".venv", ".git", "runs", "*.egg-info", ".*_cache", "build")
    shutil.copytree(ROOT, clone, ignore=keep_out)
    done = subprocess.run(
        SETUP, shell=True, cwd=clone, env=lent(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return clone, done.stdout


def lent():
    """The environment of a process that has our dependencies, but not ourselves."""
    return {
        **os.environ,
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p.endswith("site-packages")),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.mark.slow
def test_the_first_command_sets_up_and_runs_the_benchmark(first_run):
    clone, said = first_run
    assert "digits class-3" in said and "digits instance-64" in said
    assert all(method in said for method in ("salun", "scrub", "suli@tuned", "bn_drift"))
    folder = re.search(r"records in (\S+)", said)[1].rstrip(",")
    # Records of 22 labels class-wise and 17 instance-wise under three seeds, and their audits.
    assert len(list((clone / folder).rglob("*.json"))) == 3 * (22 + 17) + 6
    passed = re.search(r"^retrain_held_out .* (\d+) of (\d+)$", said, re.MULTILINE)
    assert passed and passed[1] == passed[2] != "0"
    installed = subprocess.run(
        [".venv/bin/python", "-c", "import suli_plugin; print(suli_plugin.__file__)"],
        cwd=clone, env={**lent(), "PYTHONSAFEPATH": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(clone / ".venv") in installed.stdout


def test_the_second_command_is_what_ci_runs():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    found = re.search(r"<!-- tests -->\n```sh\n(.*?)\n```", README)
    assert found and found[1] == TESTS
    assert "sed -n '/<!-- tests -->/" in script and 'bash -euo pipefail -c "$tests"' in script


def runs_in(folder, command):
    """One that is installed: run it, and look that it says something."""
    assert command.startswith("suli ")
    line = re.sub(r"(^|&& )suli ", rf"\1{sys.executable} -m suli_plugin ", command)
    done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("command", [line for line in INSTALLED if "bench run" not in line])
def test_the_other_commands_run_where_it_is_installed(command, tmp_path):
    runs_in(tmp_path, command)


def labels_of(command):
    """What a command's `bench run` runs, an audit's Retrains and controls with it.

    A submission of all that the first command ran would run all of it again to verify it.
    """
    named = re.search(r"bench run digits --methods (\S+) ", command)[1].split(",")
    return {*named, *audit_labels(Digits(), registry(), "class-wise", RETRAINS)}


@pytest.mark.slow
@pytest.mark.parametrize("command", [line for line in INSTALLED if "bench run" in line])
def test_the_other_runs_go_on_from_the_records_of_the_first(command, first_run, tmp_path):
    before = first_run[0] / "runs" / "digits" / "class-3"
    there = {path.name for path in before.iterdir() if path.is_dir()}
    taken = there & labels_of(command) if "submit" in command else there
    place = tmp_path / "runs" / "digits" / "class-3"
    shutil.copytree(before, place, ignore=shutil.ignore_patterns(*(there - taken)))
    written = {path: path.stat().st_mtime_ns for path in place.rglob("*.json")}
    runs_in(tmp_path, command)
    assert len(there) == 22 and len(written) == 3 * len(taken) + 3
    assert {"retrain", "suli", "logit_mask"} <= taken
    assert {path: path.stat().st_mtime_ns for path in written} == written


@pytest.mark.slow
def test_the_audit_of_digits_says_what_is_hidden(tmp_path):
    exported, unlearned, audited = walked(tmp_path, AUDIT)
    assert exported[0] == unlearned[0] == 0, (exported, unlearned)
    code, said = audited
    assert code == 1 and "differs from Retrain" in said.splitlines()[-1], said
    assert (tmp_path / "audit" / "index.html").is_file()


@pytest.mark.slow
@pytest.mark.real_data
def test_the_audit_of_cifar_10_tells_a_mask(audit_of_cifar10):
    """What it finds is in a test of the audit's own."""
    masked, audited = audit_of_cifar10.said
    assert masked[0] == 0, masked
    code, said = audited
    assert code == 1 and "control" in said.splitlines()[-1], said


@pytest.fixture
def cifar10(real_data, tmp_path):
    """A folder with the data and the original under the README's names."""
    return with_cifar10(tmp_path, real_data)


@pytest.mark.slow
@pytest.mark.real_data
def test_the_commands_on_cifar_10_run(cifar10):
    """With a method of no steps in SULI's place, which takes minutes, as relearning then does.

    SULI's own tests and records are elsewhere.
    """
    run_it, report = (
        line.replace("suli ", f"{sys.executable} -m suli_plugin ", 1) for line in REAL
    )
    short = "--methods neg_grad --set neg_grad.epochs=0 --retain-scored 450"
    for line in (f"{run_it} {short}", f"{report} --methods neg_grad"):
        done = subprocess.run(
            line, shell=True, cwd=cifar10, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert "neg_grad" in (cifar10 / "runs" / "report" / "index.html").read_text("utf-8")


@pytest.mark.slow
def test_cells_run_side_by_side(tmp_path):
    """With one method in place of all; a cluster's workers have tests of their own."""
    pytest.importorskip("distributed")
    few = "--methods logit_mask --seeds 0 --no-audit"
    dry, run_it, status = WORKERS
    done = walked(tmp_path, [f"{dry} {few}", f"{run_it} {few}", status])
    assert [code for code, _ in done] == [0, 0, 0], done
    assert all("logit_mask" in said for _, said in done[:2])


@pytest.mark.slow
def test_requests_follow_one_another(tmp_path):
    done = walked(tmp_path, SEQUENCES)
    assert [code for code, _ in done] == [0] * len(done), done
    assert "2026-017" in done[2][1] and "2026-031" in done[4][1]
    assert "sequence-3-classes-1-3-5" in done[-1][1]


@pytest.mark.slow
def test_originals_of_one_recipe_are_trained_written_and_read(tmp_path, monkeypatch):
    """On 400 digits in CIFAR-10's place, with Retrain alone and no audit, in seconds."""
    from digits_as_images import digits_folder

    monkeypatch.setenv("SULI_CACHE", str(tmp_path / "cache"))
    digits_folder(tmp_path / "cifar10")
    export, run_it = FAST
    made, ran = walked(tmp_path, [export, f"{run_it} --methods retrain --no-audit"])
    assert made[0] == ran[0] == 0, (made, ran)
    assert "cifar10-fast class-1" in ran[1] and "retrain" in ran[1]


@pytest.mark.slow
def test_the_deletion_request_runs_on_repositories_of_these_names(hub, tmp_path):
    """In their place a small network and digits under CIFAR-10's names, served from loopback."""
    from digits_as_images import digits_folder, trained_original

    others = ("bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    names = ("airplane", "automobile", *others)
    pictures = digits_folder(tmp_path / "data", names=names)
    hub.seed_repo("uoft-cs/cifar10", "dataset", pictures)
    net = trained_original(tmp_path / "net", names=names)
    hub.seed_repo("edadaltocg/resnet18_cifar10", "model", net)
    (python,) = [code for code in blocks("python") if "without-automobile" in code]
    assert len(HUB) == 3 and all(line.startswith("suli ") for line in HUB)
    # So few images are as many updates, which take a small network there at this rate alone.
    lines = zip(HUB, (["--set", "lr=1e-3"], [], []), strict=True)
    said = [
        subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        for command in (
            *(["-m", "suli_plugin", *line.split()[1:], *more] for line, more in lines),
            ["-c", python + "assert model.training is False"],
        )
    ]
    assert [done.returncode for done in said] == [0] * 4, [done.stderr for done in said]
    assert "samples, all of class automobile, of uoft-cs/cifar10 with suli" in said[0].stderr
    assert "differs" not in said[1].stdout and "not checked" not in said[1].stdout
    assert "unlearning.json" in hub.repo("model", "you/resnet18-without-automobile").files()


def test_the_python_lines_unlearn_a_model():
    case = Digits().case("class-3", seed=0)
    names = {
        "model": case.original,
        "forget_loader": torch.utils.data.DataLoader(case.forget, batch_size=16),
        "pixels": torch.zeros(4, 3, 32, 32, dtype=torch.uint8),
        "labels": torch.zeros(4),
    }
    own, images, *_ = blocks("python")
    exec(own, names)
    exec(images, names)
    assert names["unlearned"].steps > 0 and names["official"].temperature == 4.0
    assert names["forget"][0][0].shape == (3, 32, 32)


def test_the_table_of_methods_is_what_the_command_prints():
    """`suli methods --markdown` prints what belongs between the marks."""
    from digits_as_images import suli

    (table,) = re.findall(r"<!-- methods -->\n\n(.*?)\n<!-- /methods -->", README, re.DOTALL)
    assert table == suli("methods", "--markdown").stdout


def test_the_plugin_shown_is_the_one_that_is_tested():
    plugin = (EXAMPLE / "shrink_unlearner.py").read_text(encoding="utf-8")
    assert plugin in blocks("python")
    (toml,) = blocks("toml")
    assert toml in (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")
    code = [line for line in plugin.splitlines() if line.strip()]
    assert len(code) <= 45


def test_the_suite_shown_runs_under_pytest(tmp_path):
    *_, suite = blocks("python")
    (tmp_path / "test_shrink.py").write_text(suite, encoding="utf-8")
    shutil.copy(EXAMPLE / "shrink_unlearner.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "12 passed" in done.stdout, done.stdout
