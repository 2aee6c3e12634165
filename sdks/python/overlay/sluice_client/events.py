"""Server-sent events. The generator doesn't support streams."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import httpx

from .client import AuthenticatedClient, Client
from .models.problem import Problem

NO_STREAM = 204

T = TypeVar("T")


class StreamRejected(Exception):
    """The server rejected the request for a stream. `problem` has the cause."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class _Lines:
    """Parses the lines of a stream and returns the data of each complete event."""

    def __init__(self) -> None:
        self._data: list[str] = []

    def take(self, line: str) -> str | None:
        if line.startswith("data:"):
            self._data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and self._data:
            data, self._data = "\n".join(self._data), []
            return data
        return None


def _request(last_event_id: str | int | None) -> dict[str, Any]:
    headers = {"Accept": "text/event-stream"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = str(last_event_id)
    # A stream can be idle for any time.
    return {"headers": headers, "timeout": httpx.Timeout(30.0, read=None)}


def follow(
    client: AuthenticatedClient | Client, path: str, last_event_id: str | int | None, read: Callable[[str], T]
) -> Iterator[T]:
    with client.get_httpx_client().stream("GET", path, **_request(last_event_id)) as response:
        if response.is_error:
            response.read()
            raise StreamRejected(Problem.from_dict(response.json()))
        if response.status_code == NO_STREAM:
            return
        lines = _Lines()
        for line in response.iter_lines():
            if (data := lines.take(line)) is not None:
                yield read(data)


async def follow_async(
    client: AuthenticatedClient | Client, path: str, last_event_id: str | int | None, read: Callable[[str], T]
) -> AsyncIterator[T]:
    async with client.get_async_httpx_client().stream("GET", path, **_request(last_event_id)) as response:
        if response.is_error:
            await response.aread()
            raise StreamRejected(Problem.from_dict(response.json()))
        if response.status_code == NO_STREAM:
            return
        lines = _Lines()
        async for line in response.aiter_lines():
            if (data := lines.take(line)) is not None:
                yield read(data)
