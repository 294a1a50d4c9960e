"""vLLM on this machine's CPU, as `make vllm` starts it: a checkpoint's folder in, the URL of a server that answers out.

It works in processes of its own, and all of them end with the block.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
INSTALLED = ROOT / ".venv-vllm/.installed"
_UP_WITHIN_S = 180.0
_TOLD = 4000


class NotServed(RuntimeError):
    """vLLM is not installed, or did not come up; the message ends with what it said last."""


@contextmanager
def serving(checkpoint: Path, *, dtype: str = "bfloat16", up_within_s: float = _UP_WITHIN_S) -> Iterator[str]:
    """The base URL, ending in /v1, of a vLLM that serves the checkpoint under its folder's name.

    Raises:
        NotServed: it is not installed, or did not listen in time.

    """
    if not INSTALLED.exists():
        raise NotServed(f"{INSTALLED.relative_to(ROOT)} is missing: make vllm-install")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["make", "vllm", f"VLLM_PORT={port}", f"VLLM_DTYPE={dtype}", f"CHECKPOINT={checkpoint}"]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - our own words
        try:
            if not _listens(server, port, up_within_s):
                log.seek(0)
                said = log.read().decode(errors="replace")[-_TOLD:]
                raise NotServed(f"vLLM did not come up within {up_within_s:g} s:\n{said}")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            _end(server)


def _listens(server: "subprocess.Popen[bytes]", port: int, within_s: float) -> bool:
    give_up = time.monotonic() + within_s
    while time.monotonic() < give_up and server.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.5)
    return False


def _end(server: "subprocess.Popen[bytes]") -> None:
    """The whole process group: vLLM works in children of its own."""
    for wanted in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, wanted)
            server.wait(timeout=20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
