"""The one Hub of a test run, on loopback: conftest.py imports this before anything else.

`huggingface_hub` and `datasets` read their settings when they are imported, so that the server
is started and the settings point at it before that. They hold in subprocesses too. Tests take
the fixture `hub`, which empties it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator

import pytest
from hub_server import HubServer


def _start() -> HubServer:
    too_early = {"huggingface_hub", "datasets"} & sys.modules.keys()
    if too_early:
        raise RuntimeError(f"Imported before the test hub was started: {sorted(too_early)}")
    hub = HubServer().__enter__()
    atexit.register(hub.close)
    home = tempfile.TemporaryDirectory(prefix="hub-home-")
    atexit.register(home.cleanup)
    os.environ.update(
        HF_ENDPOINT=hub.endpoint,
        HF_HOME=home.name,
        HF_HUB_DISABLE_XET="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_DISABLE_UPDATE_CHECK="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        HF_DATASETS_DISABLE_PROGRESS_BARS="1",
    )
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1"]))
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_DATASETS_CACHE"):
        os.environ.pop(name, None)
    return hub


SHARED_HUB = _start()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """An empty hub with one user, `ada`, who may write everywhere and is logged in."""
    from huggingface_hub import HfFileSystem

    SHARED_HUB.reset()
    # A file with the same bytes in the same repository would not be downloaded again, and
    # file systems live as long as the process and remember which repositories exist.
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)
    HfFileSystem.clear_instance_cache()
    SHARED_HUB.add_user("ada", "hf_ada", can_write=True)
    monkeypatch.setenv("HF_TOKEN", "hf_ada")
    yield SHARED_HUB
    SHARED_HUB.reset()


def printed_by(script: str, **environment: str) -> list[str]:
    """The lines that a script prints in a process of its own, which uses the same hub."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
