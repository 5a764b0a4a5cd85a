"""Byte ranges from a web server that is not trusted: every answer is compared with what was asked for.

A server may be slow, busy, or lie: it is waited for 30 s, asked again when it says so, and refused when it sends
another range, an encoding, more than was asked for, or parts of another version of the file.
"""

from __future__ import annotations

import asyncio
import dataclasses
import email.utils
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import fsspec
import uproot.source.fsspec
from fsspec.core import OpenFile
from fsspec.implementations.http import HTTPFileSystem

from .answers import ChangedFile, WrongAnswer

# seconds without a byte
TIMEOUT = 30.0
# bytes per second that a whole answer has to reach beyond that
SLOWEST = 10_000.0
# answers "too busy" in a row, and for how many seconds in all these may ask to wait
TRIES, PATIENCE = 5, 300.0
# of one file
LARGEST = 2**42
BUSY = (429, 503)


@dataclasses.dataclass(frozen=True)
class State:
    """By what a change of a file would be noticed.

    Attributes
    ----------
    size
        In bytes.
    tag
        The entity tag; "" when the server tells none.
    time
        Of the last change, as the server writes it; "" when it tells none.
    """

    size: int
    tag: str = ""
    time: str = ""

    @property
    def condition(self) -> dict[str, str]:
        """What a request says, so that the server sends nothing of another version."""
        if self.tag and not self.tag.startswith("W/"):
            return {"If-Match": self.tag, "If-Range": self.tag}
        return {"If-Range": self.time} if self.time else {}

    def differs(self, other: State) -> bool:
        """Return whether the two are states of different files; what a server does not tell counts for nothing."""
        pairs = ((self.size, other.size), (self.tag, other.tag), (self.time, other.time))
        return any(one != another for one, another in pairs if one and another)


def patience() -> Any:
    """Return aiohttp's time-outs: how long a server may say nothing, however long the whole answer takes."""
    import aiohttp

    return aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=TIMEOUT)


class WebFiles(HTTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Files on web servers, of which each answer is checked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(client_kwargs={"timeout": patience(), "auto_decompress": False}, **options)
        self._known: dict[str, State] = {}

    async def state(self, url: str) -> State:
        """Return the state of a file now.

        Raises `FileNotFoundError` when there is none, `WrongAnswer` when the server does not tell its size, or an
        impossible one.
        """
        head = await self._answer("HEAD", url, {})
        size: int | str = head.headers.get("Content-Length", "")
        if head.status >= 400 or not size:
            # not every server knows HEAD; the first byte tells as much
            head = await self._answer("GET", url, {"Range": "bytes=0-0"}, most=1)
            if head.status == 206:
                size = _content_range(head.headers, url)[2]
        _raise_for(head.status, url)
        if not re.fullmatch(r"\d{1,18}", str(size)) or int(size) > LARGEST:
            raise WrongAnswer(f"the server does not tell the size of the file ({size or 'nothing'})")
        return State(int(size), head.headers.get("ETag", ""), head.headers.get("Last-Modified", ""))

    async def _info(self, url: str, **_: Any) -> dict[str, Any]:
        if url not in self._known:
            self._known[url] = await self.state(url)
        state = self._known[url]
        told = {"ETag": state.tag, "Last-Modified": state.time}
        return {
            "name": url,
            "size": state.size,
            "type": "file",
            "partial": True,
            **{k: v for k, v in told.items() if v},
        }

    async def _cat_file(self, url: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        size = (await self._info(url))["size"]
        first, last = start or 0, min(size if end is None else end, size)
        if first >= last:
            return b""
        known = self._known[url]
        asked = {"Range": f"bytes={int(first)}-{int(last) - 1}", **known.condition}
        answer = await self._answer("GET", url, asked, most=last - first)
        if answer.status == 412 or answer.status == 416:
            raise ChangedFile(f"the server has another version (answer {answer.status})")
        _raise_for(answer.status, url)
        if known.differs(State(known.size, answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""))):
            raise ChangedFile("its entity tag or time on the server is another one")
        if answer.status != 206:
            raise WrongAnswer(
                f"the server does not send parts of files (answer {answer.status}); copy it to a disk first"
            )
        begin, stop, whole = _content_range(answer.headers, url)
        if (begin, stop) != (first, last - 1):
            raise WrongAnswer(f"asked for bytes {first} to {last - 1}, the server sent {begin} to {stop}")
        if whole != size:
            raise ChangedFile(f"it has {whole} bytes on the server now, and had {size}")
        return answer.body

    async def _cat_ranges(
        self, paths: Sequence[str], starts: Sequence[int], ends: Sequence[int], **_: Any
    ) -> list[bytes]:
        return await asyncio.gather(*map(self._cat_file, paths, starts, ends))

    async def _answer(self, method: str, url: str, headers: Mapping[str, str], *, most: int = 0) -> _Answer:
        """Ask until the server is no longer too busy."""
        waited = 0.0
        for attempt in range(TRIES):
            answer = await self._ask(method, url, headers, most)
            pause = _retry_after(answer.headers)
            if answer.status not in BUSY or (pause is None and answer.status != BUSY[0]):
                break
            pause = 2.0**attempt if pause is None else pause
            waited += pause
            if waited > PATIENCE:
                raise WrongAnswer(f"the server is too busy and asks to wait {pause:g} s; try again later")
            await asyncio.sleep(pause)
        return answer

    async def _ask(self, method: str, url: str, headers: Mapping[str, str], most: int) -> _Answer:
        import aiohttp

        session = await self.set_session()
        asked = {"Accept-Encoding": "identity", **headers}
        try:
            async with (
                asyncio.timeout(10 * TIMEOUT + most / SLOWEST),
                session.request(method, self.encode_url(url), headers=asked, allow_redirects=True) as response,
            ):
                body = b""
                if method == "GET" and response.status == 206:
                    encoding = response.headers.get("Content-Encoding", "identity")
                    if encoding.lower() != "identity":
                        raise WrongAnswer(f"the server sent a part of the file encoded as {encoding!r}")
                    body = await _read(response, most)
                # what else there is of the answer is not waited for
                response.close()
                return _Answer(response.status, response.headers, body)
        except aiohttp.NonHttpUrlRedirectClientError as error:
            raise WrongAnswer(f"the server redirects to {error}, which is no web address") from None
        except aiohttp.TooManyRedirects:
            raise WrongAnswer("the server redirects without end") from None
        except TimeoutError:
            # a TimeoutError would lose its words on the way
            raise ConnectionError(f"nothing came from the server for {TIMEOUT:g} s") from None


@dataclasses.dataclass(frozen=True)
class _Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class WebSource(uproot.source.fsspec.FSSpecSource):  # type: ignore[misc]  # uproot has no types
    """Bytes of one file on a web server, for uproot."""

    def _open(self) -> None:
        self._executor = uproot.source.fsspec.FSSpecLoopExecutor()
        # one for each file: what is known of its state is its own
        self._fs = WebFiles(skip_instance_cache=True)
        self._file_path = self._file_path_orig
        self._open_file = OpenFile(self._fs, self._file_path)
        self._async_impl = True
        self._closed = False


def web_state(url: str) -> State:
    """Return the state of a file on a web server.

    Raises `FileNotFoundError` when there is none, `OSError` when the server does not tell.
    """
    files = WebFiles(skip_instance_cache=True)
    found: State = fsspec.asyn.sync(files.loop, files.state, url)
    return found


async def _read(response: Any, most: int) -> bytes:
    """Return the content of an answer, of which no more is taken than was asked for."""
    length = response.headers.get("Content-Length")
    if length is not None and length != str(most):
        raise WrongAnswer(f"asked for {most} bytes, the server announces {length}")
    try:
        body = await response.content.readexactly(most)
    except asyncio.IncompleteReadError as error:
        raise ConnectionError(f"the connection broke after {len(error.partial)} of {most} bytes") from None
    if length is None and await response.content.read(1):
        raise WrongAnswer(f"asked for {most} bytes, the server sends more")
    return bytes(body)


def _content_range(headers: Mapping[str, str], url: str) -> tuple[int, int, int]:
    told = headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", told.strip())
    if not found:
        raise WrongAnswer(f"the server does not tell which bytes it sends (Content-Range: {told!r})")
    first, last, size = map(int, found.groups())
    return first, last, size


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return for how many seconds a server asks to wait; None when it does not."""
    told = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", told):
        return float(told)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(told).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def _raise_for(status: int, url: str) -> None:
    if status == 404 or status == 410:
        raise FileNotFoundError(url)
    if status >= 500 or status in BUSY:
        raise ConnectionError(f"the server answers {status}")
    if status >= 400 or status < 200 or 300 <= status < 400:
        raise WrongAnswer(f"the server answers {status}")
