"""A real redis-server of the tests' own, on a free loopback port, that can be stopped and started again."""

import socket
import subprocess
import time
from pathlib import Path

import pytest
import redis

from tests.needs import program


class RedisServer:
    """One server; what it held is gone when it stops."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        server = program("redis-server")
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen([server, *options], stdout=subprocess.DEVNULL)
        ends = time.monotonic() + 10
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > ends:
                self.stop()
                pytest.fail(f"redis-server did not start on port {self.port}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def names(self) -> set[str]:
        with redis.Redis.from_url(self.url, decode_responses=True) as client:
            return {str(key) for key in client.scan_iter()}

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
