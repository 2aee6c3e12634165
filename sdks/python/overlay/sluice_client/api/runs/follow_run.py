"""Event stream of a run. Replaces the generated module, which would read the stream as one event."""

import json
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote
from uuid import UUID

from ...client import AuthenticatedClient, Client
from ...events import follow, follow_async
from ...models.run_event import RunEvent


def _path(run_id: UUID) -> str:
    return f"/run/{quote(str(run_id), safe='')}/events/"


def _read(data: str) -> RunEvent:
    return RunEvent.from_dict(json.loads(data))


def sync(
    run_id: UUID, *, client: AuthenticatedClient | Client, last_event_id: str | int | None = None
) -> Iterator[RunEvent]:
    """Yields the events of a run, from the first or after `last_event_id`, each as soon as it is durable.

    Ends with the run. Raises `sluice_client.events.StreamRejected` if the server rejects the request.
    """
    return follow(client, _path(run_id), last_event_id, _read)


def asyncio(
    run_id: UUID, *, client: AuthenticatedClient | Client, last_event_id: str | int | None = None
) -> AsyncIterator[RunEvent]:
    """Does the same as `sync` without blocking."""
    return follow_async(client, _path(run_id), last_event_id, _read)
