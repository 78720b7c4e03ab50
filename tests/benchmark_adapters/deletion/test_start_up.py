"""What `suli unlearn` imports: what it uses, and no more."""

import subprocess
import sys

import pytest

# Seconds each: torch's compiler, scikit-learn, libraries of architectures, metrics and pictures.
SLOW = {
    *("torch._dynamo", "torch._inductor", "sympy", "sklearn", "torchvision", "timm"),
    *("transformers", "evaluate", "matplotlib"),
}
CODE = f"""
import sys
from suli_plugin.cli import main
for method in ("suli", "su", "neg_grad"):
    arguments = ["--method", method, "--force", *sys.argv[1:]]
    main(["unlearn", *arguments], standalone_mode=False)
print("imported:", *sorted({SLOW!r} & sys.modules.keys()))
"""


@pytest.mark.parametrize("measured", [False, True])
def test_an_unlearned_class_costs_no_import_that_it_does_not_use(
    measured, original, digits, tmp_path
):
    more = ["--test", "test"] if measured else []
    done = subprocess.run(
        [
            *(sys.executable, "-c", CODE, "--model", original, "--dataset", digits),
            *("--forget-class", "three", "--output", tmp_path / "out", "--allow-unchanged", *more),
            *("--at-most", "1"),
        ],
        **{"capture_output": True, "text": True, "check": True},
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("imported:")]
    assert line.split()[1:] == [], done.stdout
