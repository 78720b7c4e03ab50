"""The README's blocks of code, and its commands run one after the other."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from repository import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """All blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def tagged(tag: str) -> list[str]:
    """The commands of the block below this comment."""
    found = re.search(rf"<!-- {tag} -->\n```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found, tag
    return found[1].splitlines()


def walked(folder: Path, commands: Sequence[str]) -> list[tuple[int, str]]:
    """What each command printed and its exit code, one after the other in a folder."""
    lines = [re.sub(r"^suli ", f"{sys.executable} -m suli_plugin ", line) for line in commands]
    done = [
        subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, check=False)
        for line in lines
    ]
    return [(each.returncode, each.stdout or each.stderr) for each in done]


def with_cifar10(folder: Path, data: Path) -> Path:
    """A folder where the README's names stand for an original and every fifth image of CIFAR-10.

    data: the folder of SULI_DATA.
    """
    from datasets import load_dataset

    for split, images in load_dataset(str(data / "cifar10")).items():
        part = images.select(range(0, len(images), 5))
        part.to_parquet(folder / "cifar10" / f"{split}.parquet")
    (folder / "resnet20-cifar10").symlink_to(data / "checkpoints" / "resnet20-cifar10")
    return folder
