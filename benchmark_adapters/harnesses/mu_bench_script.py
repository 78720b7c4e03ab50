"""MU-Bench's own scripts, run unchanged in a process where `get_trainer` knows our methods."""

from __future__ import annotations

import json
import runpy
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark_adapters.harnesses.handed_over import harness_unlearner
from benchmark_adapters.harnesses.installed import MU_BENCH, installed_version
from benchmark_adapters.harnesses.mu_bench import labels, trainer_class


def prepare(script: Path, configuration: Path) -> dict[str, Any]:
    """Make our labels known to `mubench.get_trainer`, and return what is left for the script.

    configuration: JSON; its `hyperparameters` are taken out. Raises ValueError or TypeError for a
    missing or too new library, a missing file, or an unknown or unfit hyper-parameter.
    """
    _check_environment(script, configuration)
    given: dict[str, Any] = json.loads(configuration.read_text())
    if "evaluation_strategy" in given:
        # MU-Bench's `gen_config.py` writes a name that transformers dropped in 4.46.
        given["eval_strategy"] = given.pop("evaluation_strategy")
    settings = given.pop("hyperparameters", {})
    ours = labels()
    label = ours.get(given.get("unlearn_method", ""))
    if label is not None:
        harness_unlearner(label, "instance-wise", settings)
    elif settings:
        raise ValueError(
            f"hyperparameters are given for {given.get('unlearn_method')!r}, which is not ours; "
            f"ours: {', '.join(ours)}"
        )
    _teach_get_trainer(ours, settings)
    return given


def run_script(script: Path, configuration: Mapping[str, Any]) -> None:
    """Run a script of MU-Bench, as its own file, on a prepared configuration."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "configuration.json")
        file.write_text(json.dumps(configuration))
        sys.argv = [str(script), str(file)]
        runpy.run_path(str(script), run_name="__main__")


def _teach_get_trainer(ours: Mapping[str, str], settings: Mapping[str, Any]) -> None:
    """Wrap `mubench.get_trainer`, which looks in a dict of its own, for this process."""
    import mubench
    import mubench.trainer

    theirs = mubench.trainer.get_trainer

    def get_trainer(name: str) -> Any:
        return trainer_class(ours[name], settings=settings) if name in ours else theirs(name)

    mubench.get_trainer = mubench.trainer.get_trainer = get_trainer


def _check_environment(script: Path, configuration: Path) -> None:
    for file in (script, configuration):
        if not file.is_file():
            raise ValueError(f"there is no file {file}")
    found = installed_version("transformers")
    if found is None or int(found.split(".")[0]) >= 5:
        raise ValueError(f"MU-Bench needs transformers below 5, found {found}; {MU_BENCH}")
    import transformers.utils

    if not hasattr(transformers.utils, "send_example_telemetry"):
        # Its scripts import this name, which later versions dropped, and never call it.
        transformers.utils.send_example_telemetry = lambda *_, **__: None
    try:
        import mubench  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise ValueError(f"MU-Bench can't be imported ({error}); {MU_BENCH}") from error
