"""Tests see no network beyond this machine, no home and no cache of the user, and check the shapes in signatures."""

from __future__ import annotations

import os
import socket
from pathlib import Path

# Small problems run faster on one thread, and two test processes share the machine: threads of compiled code that wait for each other
# many thousand times make it several times slower where another process has a core. Before numpy and numba are loaded, which read it once.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import pytest
from jaxtyping import install_import_hook

# Before anything of the package is imported: shapes in signatures are checked in tests only, in the rooms that compute.
COMPUTING = (
    "autoregression",
    "multiple_tests",
    "datasets",
    "spectra",
    "spontaneous",
    "targets",
    "models",
    "regularizers",
    "noise",
    "attacks",
    "training",
    "robustness",
    # Not `sampling.kernels`: what is compiled takes no wrapper.
    *(f"sampling.{module}" for module in ("checks", "model", "conditionals", "reference", "learning", "prediction", "convergence")),
)
install_import_hook([f"yuragi.{room}" for room in COMPUTING], "beartype.beartype")
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def _own_world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redirect HOME and caches, forget a mirror that the user has set, and refuse connections to other machines."""
    home = tmp_path_factory.mktemp("home")
    for variable in ("HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR"):
        monkeypatch.setenv(variable, str(home))
    monkeypatch.setenv("YURAGI_CACHE", str(home / "data"))
    monkeypatch.delenv("YURAGI_MIRROR", raising=False)
    connect = socket.socket.connect

    def only_here(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise RuntimeError(f"a test must not reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_here)


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of real recordings, or a skip that says how to name it."""
    folder = _MIRROR
    if not folder:
        pytest.skip("no real recordings: set YURAGI_MIRROR to a folder with the layout <data set>/<file>")
    return Path(folder).resolve()


_MIRROR = os.environ.get("YURAGI_MIRROR", "")
