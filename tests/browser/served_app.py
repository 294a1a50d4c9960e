"""An application behind a real uvicorn in a thread of its own, for a browser that is driven from the test's."""

import threading
import time
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from tests.redis_server import free_port


class ServedApp:
    """On a free loopback port, from `with` to its end."""

    def __init__(self, app: ASGIApp) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}/"
        config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        ends = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < ends, "the application did not start"
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
