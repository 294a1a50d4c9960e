"""Loopback ports for servers that are processes of their own."""

import socket
import subprocess
import time

_WITHIN_S = 300.0


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the process listens there.

    Raises:
        RuntimeError: it ended, or does not come up.

    """
    give_up = time.monotonic() + _WITHIN_S
    while time.monotonic() < give_up and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError(f"nobody listens on port {port}: the process {'ended' if process.poll() else 'is slow'}")
