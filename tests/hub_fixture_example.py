"""How to start the test hub: copy into, or import from, the top of conftest.py.

`huggingface_hub` and `datasets` read their settings when they are imported. So this module
must be imported before them: it starts one server for the whole test run and points the
settings at it. After that everything works in this process, and in its subprocesses.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
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
