"""Programs that are set on the gateway: each as a process of its own, which can reach the gateway and nothing else."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

_LIMIT_S = 300.0
# Telemetry and look-ups that these clients and what they stand on would do: all of it off.
QUIET = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "OTEL_SDK_DISABLED": "true",
    "AWS_EC2_METADATA_DISABLED": "true",
    "npm_config_update_notifier": "false",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit status, what it wrote, and which other hosts it tried to reach."""

    status: int
    stdout: str
    stderr: str
    called: tuple[str, ...]


@dataclass(slots=True)
class ClosedDoor:
    """A proxy that lets nobody through and remembers where they wanted to go."""

    url: str = ""
    called: list[str] = field(default_factory=list)

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        self.called.append(b" ".join(line.split()[:2]).decode(errors="replace"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    @asynccontextmanager
    async def shut(self) -> AsyncIterator["ClosedDoor"]:
        """Listen on a free loopback port."""
        server = await asyncio.start_server(self._refuse, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        async with server:
            yield self


async def ended(command: Sequence[str], *, environment: Mapping[str, str], home: Path) -> Ended:
    """Run a program to its end, at most five minutes, with a home of its own."""
    async with ClosedDoor().shut() as door:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(door.url, home) | dict(environment),
            cwd=home,
        )
        try:
            async with asyncio.timeout(_LIMIT_S):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            out, err = await process.communicate()
            err += f"\nended after {_LIMIT_S:.0f} s".encode()
    return Ended(process.returncode or 0, out.decode(), err.decode(), tuple(door.called))


def _environment(door: str, home: Path) -> dict[str, str]:
    """No variable of ours gets in, so that nothing of this machine's configuration decides an outcome."""
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), door)
    direct = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "NODE_USE_ENV_PROXY": "1"}
    own = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_DATA_HOME": str(home), "TMPDIR": str(home)}
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **QUIET, **proxies, **direct, **own}
