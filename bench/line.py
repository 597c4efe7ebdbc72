"""One connection that is kept, and as little HTTP on it as devices need."""

import asyncio
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import SplitResult

OK: Final = 200
BUSY: Final = 503


@dataclass(frozen=True, slots=True)
class Line:
    url: SplitResult
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, url: SplitResult) -> Self:
        return cls(url, *await asyncio.open_connection(url.hostname, url.port))

    async def put(self, body: bytes, header: str, proof: str) -> tuple[int, bytes]:
        self.begin(body, header, proof)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        length = answer.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        return int(answer.split(b" ", 2)[1]), await self.reader.readexactly(int(length or 0))

    def begin(self, body: bytes, header: str, proof: str) -> None:
        """Send it, and wait for nothing."""
        head = f"PUT {self.url.path} HTTP/1.1\r\nHost: {self.url.netloc}\r\n{header}: {proof}\r\n"
        self.writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def close(self) -> None:
        self.writer.close()
