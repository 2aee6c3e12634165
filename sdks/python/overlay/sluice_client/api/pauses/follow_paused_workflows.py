"""Event stream of all pauses. Replaces the generated module, which would read the stream as one event."""

import json
from collections.abc import AsyncIterator, Iterator

from ...client import AuthenticatedClient, Client
from ...events import follow, follow_async
from ...models.paused_workflow_event import PausedWorkflowEvent

PATH = "/wf/paused_workflows/events/"


def _read(data: str) -> PausedWorkflowEvent:
    return PausedWorkflowEvent.from_dict(json.loads(data))


def sync(
    *, client: AuthenticatedClient | Client, last_event_id: str | int | None = None
) -> Iterator[PausedWorkflowEvent]:
    """Yields each pause when it is opened or decided, from now on or after `last_event_id`. Never ends by itself.

    Raises `sluice_client.events.StreamRejected` if the server rejects the request.
    """
    return follow(client, PATH, last_event_id, _read)


def asyncio(
    *, client: AuthenticatedClient | Client, last_event_id: str | int | None = None
) -> AsyncIterator[PausedWorkflowEvent]:
    """Does the same as `sync` without blocking."""
    return follow_async(client, PATH, last_event_id, _read)
