"""Server-sent events: bytes come in as the network cuts them, whole `data` fields go out."""

import re
from collections.abc import Iterator

from service.domain.errors import EngineGarbled

MAX_LINE_BYTES = 1 << 20
MAX_TOTAL_BYTES = 16 << 20
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class Events:
    """An incremental reader of one stream; event names, ids and comments are left out."""

    def __init__(self, *, max_line: int = MAX_LINE_BYTES, max_total: int = MAX_TOTAL_BYTES) -> None:
        self._max_line = max_line
        self._max_total = max_total
        self._total = 0
        self._line: list[bytes] = []
        self._line_bytes = 0
        self._data: list[bytes] = []
        self._after_cr = False

    def feed(self, piece: bytes) -> Iterator[str]:
        """The data of each event that this piece completes.

        Raises:
            EngineGarbled: a line or the whole stream is too long, or it is not UTF-8.

        """
        self._count(len(piece))
        if self._after_cr and piece:
            piece = piece.removeprefix(b"\n")  # the other half of a CRLF that the network cut
            self._after_cr = False
        *ended, rest = _LINE_END.split(piece)
        self._after_cr = self._after_cr or piece.endswith(b"\r")
        for end in ended:
            yield from self._take(self._whole_line(end))
        self._hold(rest)

    def _count(self, size: int) -> None:
        self._total += size
        if self._total > self._max_total:
            raise EngineGarbled(f"the engine's stream is longer than {self._max_total} bytes")

    def _hold(self, rest: bytes) -> None:
        self._line_bytes += len(rest)
        if self._line_bytes > self._max_line:
            raise EngineGarbled(f"a line of the engine's stream is longer than {self._max_line} bytes")
        self._line.append(rest)

    def _whole_line(self, end: bytes) -> bytes:
        self._hold(end)
        line = b"".join(self._line)
        self._line, self._line_bytes = [], 0
        return line

    def _take(self, line: bytes) -> Iterator[str]:
        """A blank line ends an event; a data line adds to it."""
        if not line:
            if self._data:
                yield _text(b"\n".join(self._data))
            self._data = []
            return
        name, _, value = line.removeprefix(_BOM).partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise EngineGarbled("the engine's stream is not UTF-8") from None  # the cause would hold the text
