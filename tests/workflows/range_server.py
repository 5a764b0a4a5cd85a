"""A web server on the loopback device that knows byte ranges, counts what it sends, and fails when it is told to."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path


class RangeServer:
    """Serves the files of a folder.

    ``sent`` is the number of bytes that went out. ``faults`` are consumed by the answers with content, one after the
    other: "cut" closes the connection in the middle, "busy" answers 503, "" works. ``broken`` is a fault that never
    ends once more than ``healthy`` answers were given. Other faults are those of servers that lie, see `LIES`, and
    "later" answers 429. ``asked`` are the headers of the requests for content.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sent = self.answers = 0
        self.faults: list[str] = []
        self.broken, self.healthy = "", 0
        self.base = ""
        self.tells_state = True
        self.asked: list[dict[str, str]] = []
        # is called when the bytes of an answer "swap" went out
        self.swap: Callable[[], None] = lambda: None
        self.silent = threading.Event()

    def url(self, name: str) -> str:
        return f"{self.base}/{name}"

    def next_fault(self) -> str:
        self.answers += 1
        if self.broken and self.answers > self.healthy:
            return self.broken
        return self.faults.pop(0) if self.faults else ""


@dataclasses.dataclass(frozen=True)
class Lie:
    """What is wrong with an answer: bytes that nobody asked for, with or without saying so, another range or file."""

    more: int = 0
    chunked: bool = False
    shift: int = 0
    grown: int = 0
    whole: bool = False
    encoding: str = ""
    tag: str = ""


LIES = {
    "longer": Lie(more=10),
    "without end": Lie(more=10_000_000, chunked=True),
    "other range": Lie(shift=1),
    "other size": Lie(grown=4),
    "no ranges": Lie(whole=True),
    "encoded": Lie(encoding="gzip"),
    "other version": Lie(tag="other"),
}


def _handler(server: RangeServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            """Say nothing."""

        def do_HEAD(self):
            self.answer(with_content=False)

        def do_GET(self):
            self.answer(with_content=True)

        def answer(self, *, with_content):
            path = server.folder / self.path.lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            size, state = path.stat().st_size, path.stat().st_mtime_ns
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first, last = (int(found[1]), min(int(found[2] or size), size - 1)) if found else (0, size - 1)
            fault = server.next_fault() if with_content else ""
            if with_content:
                server.asked.append(dict(self.headers))
            if fault == "busy":
                self.send_error(503)
                return
            if fault == "later":
                self.send_response(429)
                self.send_header("Retry-After", "0")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if fault == "elsewhere":
                self.send_response(302)
                self.send_header("Location", "file:///etc/hostname")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if fault == "silence":
                server.silent.wait()
                self.close_connection = True
                return
            content = path.read_bytes()[first : last + 1]
            lie = LIES.get(fault, Lie())
            content = content + bytes(lie.more)
            self.send_response(200 if lie.whole or not found else 206)
            self.send_header("Accept-Ranges", "bytes")
            if server.tells_state:
                self.send_header("ETag", f'"{lie.tag or f"{size}-{state}"}"')
            if lie.encoding:
                self.send_header("Content-Encoding", lie.encoding)
            if lie.chunked:
                self.close_connection = True
                self.send_header("Connection", "close")
            else:
                self.send_header("Content-Length", str(len(content)))
            if found and not lie.whole:
                self.send_header("Content-Range", f"bytes {first + lie.shift}-{last + lie.shift}/{size + lie.grown}")
            self.end_headers()
            if not with_content:
                return
            if fault == "cut":
                content = content[: len(content) // 2]
                self.close_connection = True
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content)
            server.sent += len(content)
            if fault == "swap":
                server.swap()

    return Handler


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[RangeServer]:
    """Serve a folder while the block runs."""
    server = RangeServer(folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(server)) as listener:
        server.base = f"http://127.0.0.1:{listener.server_port}"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.silent.set()
            listener.shutdown()
            thread.join()
