"""Follow a run: in place of what is generated, which would take the whole stream for one event."""

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
    """The events of a run, from its beginning or from behind `last_event_id`, each as soon as it is durable.

    Ends with the run. Raises `sluice_client.events.Refused` when the server gives no stream.
    """
    return follow(client, _path(run_id), last_event_id, _read)


def asyncio(
    run_id: UUID, *, client: AuthenticatedClient | Client, last_event_id: str | int | None = None
) -> AsyncIterator[RunEvent]:
    """As `sync`, without blocking."""
    return follow_async(client, _path(run_id), last_event_id, _read)
