"""The command line as a person types it."""

import json
import os
import subprocess
import sys

import pytest
from digits_as_images import suli as in_this_process


def suli(*arguments, **options):
    line = [sys.executable, "-m", "suli_plugin", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, **options)


def listed(*arguments):
    # Starting takes seconds, and here nothing hangs on a process of its own.
    return in_this_process(*arguments).stdout


def test_help_comes_without_torch_and_at_once():
    script = (
        "import sys, suli_plugin.cli as c\n"
        "try: c.main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'numpy', 'sklearn', 'accelerate') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "bench" in done.stdout and "methods" in done.stdout and "plugins" in done.stdout
    # Of the processor: how long it takes by the clock depends on what else the machine does.
    assert min(_processor_seconds(lambda: suli("--help")) for _ in range(3)) < 0.5


def test_plugins_methods_and_benchmarks_are_listed_as_text_and_json():
    rows = json.loads(listed("plugins", "--json"))
    assert {row["state"] for row in rows} == {"loaded"}
    assert "suli" in listed("plugins")
    methods = {row["method"]: row for row in json.loads(listed("methods", "--json"))}
    assert methods["suli"]["presets"] == ["official", "paper", "tuned"]
    assert methods["suli"]["needs"] == {
        "class-wise": ["forget"], "instance-wise": ["forget", "reference"],
    }  # fmt: skip
    assert methods["bn_drift"]["control"] and not methods["su"]["control"]
    assert "8e-5" in methods["suli"]["preset_sources"]["official"]
    assert "class-wise: forget" in listed("methods")
    (digits,) = (
        row for row in json.loads(listed("bench", "list", "--json")) if row["benchmark"] == "digits"
    )
    assert "class-3" in digits["default_scenarios"]
    assert "digits" in listed("bench", "list")


def test_a_run_prints_its_table_and_says_where_the_records_are(tmp_path):
    done = suli(
        "bench", "run", "digits", "--scenarios", "class-3", "--seeds", "0", "--methods",
        "original,suli@official,logit_mask", "--set", "suli@official.sweeps=2",
        "--output", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "suli@official" in done.stdout and "controls, which forget nothing" in done.stdout
    assert f"3 records in {tmp_path}/digits" in done.stdout
    # No progress bar where nobody watches.
    assert "cell" not in done.stderr
    assert len(list(tmp_path.glob("digits/class-3/*/*.json"))) == 3
    assert (tmp_path / "digits/class-3/0-values.json").is_file()


def test_json_output_is_json_alone(tmp_path):
    done = suli(
        "bench", "run", "digits", "--scenarios", "class-3", "--seeds", "0", "--methods", "original",
        "--output", tmp_path, "--json", "--mixed-precision", "bf16",
    )  # fmt: skip
    summary = json.loads(done.stdout)
    assert summary["failed"] == [] and summary["records"][0]["precision"] == "bf16"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bench", "run", "digitz"], "unknown benchmark 'digitz'; known: "),
        (["bench", "run", "digits", "--methods", "sully"], "unknown method 'sully'; known:"),
        (["bench", "run", "digits", "--scenarios", "three"], "class-N or instance-N"),
        (["bench", "run", "digits", "--seeds", "a"], "--seeds takes whole numbers"),
        (["bench", "run", "digits", "--set", "suli.lr"], "--set takes METHOD.FIELD=VALUE"),
        (["bench", "run", "digits", "--set", "suli.lr=fast"], "suli.lr must be float"),
        (["bench", "run", "digits", "--set", "suli.lr=-1"], "suli.lr must be at least 0"),
        (["bench", "run", "digits", "--mixed-precision", "fp16"], "fp16 on a CPU"),
        (["bench", "run", "digits", "--mixed-precision", "fp8"], "'fp8' is not one of"),
        (["bench", "rum"], "No such command 'rum'"),
        (["bench", "run"], "Missing argument 'NAME'"),
    ],
)
def test_wrong_usage_gets_one_line_and_code_two(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = in_this_process(*arguments, code=2).output
    assert message in said and "Traceback" not in said
    assert said.count("Error:") == 1


def test_an_unwritable_output_folder_is_refused_before_anything_runs(tmp_path):
    taken = tmp_path / "file"
    taken.write_text("")
    done = suli("bench", "run", "digits", "--output", taken)
    assert done.returncode == 2 and "cannot write to --output" in done.stderr


def test_a_failed_cell_is_code_one_and_named(tmp_path):
    done = suli(
        "bench", "run", "digits", "--scenarios", "class-3", "--seeds", "0", "--methods",
        "original,neg_grad", "--set", "neg_grad.lr=1e30", "--set", "neg_grad.max_grad_norm=1e30",
        "--output", tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "failed: class-3 neg_grad seed 0: Diverged" in done.stderr
    assert len(list(tmp_path.rglob("*.json"))) == 1


@pytest.mark.slow
def test_two_processes_on_a_cpu_run_one_benchmark_together(tmp_path):
    line = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
        "-m", "suli_plugin", "bench", "run", "digits", "--scenarios", "class-3", "--seeds", "0",
        "--methods", "original,suli", "--output", str(tmp_path),
    ]  # fmt: skip
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("digits class-3") == 1
    records = [json.loads(path.read_text()) for path in tmp_path.rglob("*.json")]
    assert [record["processes"] for record in records] == [2, 2]


def test_the_progress_bar_shows_the_current_cell_on_a_terminal(tmp_path):
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    line = [
        sys.executable, "-m", "suli_plugin", "bench", "run", "digits", "--scenarios", "class-3",
        "--seeds", "0", "--methods", "original,bn_drift", "--output", str(tmp_path),
    ]  # fmt: skip
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    assert process.wait() == 0
    assert b"class-3 bn_drift seed 0" in seen and b"2/2" in seen


def _processor_seconds(call):
    before = os.times()
    call()
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])
