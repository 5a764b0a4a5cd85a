"""A web server on the loopback device that knows byte ranges, counts what it sends, and fails when it is told to."""

from __future__ import annotations

import contextlib
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path


class RangeServer:
    """Serves the files of a folder.

    ``sent`` is the number of bytes that went out. ``faults`` are consumed by the answers with content, one after the
    other: "cut" closes the connection in the middle, "busy" answers 503, "" works. ``broken`` is a fault that never
    ends once more than ``healthy`` answers were given.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sent = self.answers = 0
        self.faults: list[str] = []
        self.broken, self.healthy = "", 0
        self.base = ""
        self.tells_state = True

    def url(self, name: str) -> str:
        return f"{self.base}/{name}"

    def next_fault(self) -> str:
        self.answers += 1
        if self.broken and self.answers > self.healthy:
            return self.broken
        return self.faults.pop(0) if self.faults else ""


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
            if fault == "busy":
                self.send_error(503)
                return
            self.send_response(206 if found else 200)
            self.send_header("Accept-Ranges", "bytes")
            if server.tells_state:
                self.send_header("ETag", f'"{size}-{state}"')
            self.send_header("Content-Length", str(last - first + 1))
            if found:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.end_headers()
            if not with_content:
                return
            content = path.read_bytes()[first : last + 1]
            if fault == "cut":
                content = content[: len(content) // 2]
                self.close_connection = True
            self.wfile.write(content)
            server.sent += len(content)

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
            listener.shutdown()
            thread.join()
