"""Complete example of the client, for the server at SLUICE_URL."""

import asyncio
import os
from typing import TypeVar
from uuid import UUID

from sluice_client import AuthenticatedClient
from sluice_client.api.pauses import follow_paused_workflows, list_paused_workflows, process_pause_action
from sluice_client.api.runs import follow_run, get_run, list_runs, start_run
from sluice_client.api.workflows import (
    create_workflow,
    get_workflow,
    patch_workflow,
    update_workflow,
    validate_workflow,
)
from sluice_client.events import StreamRejected
from sluice_client.models import (
    Fields,
    FieldsByNode,
    PauseAction,
    PauseEventType,
    Problem,
    ResumeRunRequest,
    Run,
    RunEventType,
    RunStatus,
    StartRunRequest,
    TaskStatus,
    Validation,
    Workflow,
    WorkflowCreateRequest,
    WorkflowPatch,
    WorkflowReplaceRequest,
)

UNKNOWN = UUID("00000000-0000-7000-8000-000000000000")
T = TypeVar("T")

# A server without keys ignores the token.
client = AuthenticatedClient(os.environ["SLUICE_URL"], token=os.environ.get("SLUICE_API_KEY", "none"))


def refund(name: str = "Refund", target: str = "sent") -> WorkflowCreateRequest:
    """A workflow that waits for a person before anything goes out."""
    nodes = [
        {
            "id": "order",
            "title": "order",
            "node_type": "InputNode",
            "config": {"output_schema": {"customer": "string", "amount": "number"}},
        },
        {
            "id": "approval",
            "title": "approval",
            "node_type": "HumanInterventionNode",
            "config": {"message": "Please check."},
        },
        {
            "id": "sent",
            "title": "sent",
            "node_type": "OutputNode",
            "config": {
                "output_map": {"customer": "approval.order.customer", "reviewer": "approval.reviewer"},
                "output_schema": {"customer": "string", "reviewer": "string"},
            },
        },
    ]
    links = [
        {"source_id": "order", "target_id": "approval"},
        {"source_id": "approval", "target_id": target},
    ]
    definition = {"nodes": nodes, "links": links}
    return WorkflowCreateRequest.from_dict({"name": name, "description": "", "definition": definition})


def given(answer: T | Problem | None) -> T:
    """Returns the result of a successful operation."""
    assert answer is not None and not isinstance(answer, Problem), answer
    return answer


def problem(answer: object, status: int) -> Problem:
    """Returns the problem of a rejected operation."""
    assert isinstance(answer, Problem), answer
    assert answer.status == status and answer.type_, answer
    return answer


def start(workflow: Workflow, customer: str) -> Run:
    order = Fields.from_dict({"customer": customer, "amount": 120})
    inputs = FieldsByNode()
    inputs["order"] = order
    body = StartRunRequest(initial_inputs=inputs)
    run = given(start_run.sync(workflow.id, client=client, body=body))
    assert run.status is RunStatus.PENDING
    return run


def until(run: Run, kind: RunEventType) -> None:
    """Follows a run until an event of this kind."""
    for event in follow_run.sync(run.id, client=client):
        assert event.run_id == run.id
        if event.type_ is kind:
            return
    raise AssertionError(f"no {kind}")


def decide(run: Run, action: PauseAction) -> None:
    reviewer = Fields.from_dict({"reviewer": "Grace"})
    body = ResumeRunRequest(inputs=reviewer, user_id="grace", action=action, comments="seen")
    given(process_pause_action.sync(run.id, client=client, body=body))


def outputs(run: Run) -> FieldsByNode:
    assert run.outputs is not None
    return run.outputs


def approvals(workflow: Workflow) -> list[Run]:
    declined, approved = start(workflow, "Ada"), start(workflow, "Bea")
    until(declined, RunEventType.PAUSE_OPENED)
    until(approved, RunEventType.RUN_PAUSED)
    paused = given(list_paused_workflows.sync(client=client))
    [waiting] = [one.current_pause for one in paused if one.run.id == approved.id]
    assert waiting.pause_message == "Please check."
    assert waiting.input_data is not None
    assert waiting.input_data["order"] == {"customer": "Bea", "amount": 120}

    decide(declined, PauseAction.DECLINE)
    until(declined, RunEventType.RUN_CANCELED)
    decide(approved, PauseAction.APPROVE)
    until(approved, RunEventType.RUN_COMPLETED)
    done = given(get_run.sync(approved.id, client=client))
    assert done.status is RunStatus.COMPLETED
    assert outputs(done)["sent"].to_dict() == {"customer": "Bea", "reviewer": "Grace"}
    assert [task.status for task in done.tasks if task.node_id == "approval"] == [TaskStatus.COMPLETED]
    gone = given(get_run.sync(declined.id, client=client))
    assert gone.status is RunStatus.CANCELED and "sent" not in outputs(gone)
    return [declined, approved]


async def followed(run: Run) -> list[RunEventType]:
    """Reads the whole stream of an ended run, and the empty stream after its last event."""
    events = [event async for event in follow_run.asyncio(run.id, client=client)]
    last = events[-1].sequence
    behind = [event async for event in follow_run.asyncio(run.id, client=client, last_event_id=last)]
    assert behind == []
    return [event.type_ for event in events]


def streams(run: Run) -> None:
    types = asyncio.run(followed(run))
    assert types[0] is RunEventType.RUN_STARTED and types[-1] is RunEventType.RUN_CANCELED, types
    first = next(follow_paused_workflows.sync(client=client, last_event_id=0))
    assert first.type_ is PauseEventType.OPENED and first.run_id == run.id, first


def pages() -> list[Run]:
    seen: list[Run] = []
    while page := given(list_runs.sync(client=client, page=len(seen) + 1, page_size=1)):
        assert len(page) == 1
        seen += page
    return seen


def problems(workflow: Workflow) -> None:
    problem(get_workflow.sync(UNKNOWN, client=client), 404)
    try:
        next(follow_run.sync(UNKNOWN, client=client))
    except StreamRejected as rejected:
        problem(rejected.problem, 404)
    else:
        raise AssertionError("a stream of a run that isn't there")
    given(create_workflow.sync(client=client, body=refund("Another")))
    taken = WorkflowPatch(name="Another")
    problem(patch_workflow.sync(workflow.id, client=client, body=taken), 409)
    replaced = WorkflowReplaceRequest(name="Refund", definition=workflow.definition)
    stale = update_workflow.sync(workflow.id, client=client, body=replaced, if_match='"another"')
    assert problem(stale, 412).current_etag
    broken = problem(create_workflow.sync(client=client, body=refund(target="nowhere")), 422)
    assert broken.errors
    assert broken.errors[0].pointer == "/definition/links/1/target_id"


def main() -> None:
    checked: Validation = given(validate_workflow.sync(client=client, body=refund()))
    assert checked.valid, checked
    workflow = given(create_workflow.sync(client=client, body=refund()))
    assert workflow.version == 1
    runs = approvals(workflow)
    streams(runs[0])
    assert {run.id for run in pages()} == {run.id for run in runs}
    problems(workflow)
    print("the journey is done")


main()
