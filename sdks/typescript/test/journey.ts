// Complete example of the client, for the server at SLUICE_URL.
import assert from 'node:assert/strict';
import {
  createClient,
  createWorkflow,
  followRun,
  getRun,
  getWorkflow,
  listPausedWorkflows,
  listRuns,
  patchWorkflow,
  processPauseAction,
  startRun,
  updateWorkflow,
  validateWorkflow,
  type PauseAction,
  type Problem,
  type Run,
  type RunEventType,
  type WorkflowCreateRequest,
} from 'sluice-client';

const baseUrl = process.env['SLUICE_URL'];
const key = process.env['SLUICE_API_KEY'];
assert(baseUrl, 'SLUICE_URL names the server');
const client = createClient({ baseUrl, headers: key ? { Authorization: `Bearer ${key}` } : {} });

const refund = {
  name: 'Refund',
  description: 'Waits for a person before anything goes out.',
  definition: {
    nodes: [
      { id: 'order', title: 'order', node_type: 'InputNode', config: { output_schema: { customer: 'string', amount: 'number' } } },
      { id: 'approval', title: 'approval', node_type: 'HumanInterventionNode', config: { message: 'Please check.' } },
      {
        id: 'sent',
        title: 'sent',
        node_type: 'OutputNode',
        config: {
          output_map: { customer: 'approval.order.customer', reviewer: 'approval.reviewer' },
          output_schema: { customer: 'string', reviewer: 'string' },
        },
      },
    ],
    links: [
      { source_id: 'order', target_id: 'approval' },
      { source_id: 'approval', target_id: 'sent' },
    ],
  },
} satisfies WorkflowCreateRequest;

/** Returns the problem of a response with the expected status. */
function problem(answer: { data?: unknown; error?: Problem | undefined; response?: Response | undefined }, status: number): Problem {
  assert.equal(answer.response?.status, status, JSON.stringify(answer.error));
  assert(answer.error, `no problem in ${status}`);
  assert.equal(answer.error.status, status);
  assert.match(answer.error.type, /./);
  return answer.error;
}

async function start(workflow_id: string, customer: string): Promise<Run> {
  const body = { initial_inputs: { order: { customer, amount: 120 } } };
  const { data } = await startRun({ client, path: { workflow_id }, body, throwOnError: true });
  assert.equal(data.status, 'PENDING');
  return data;
}

/** Follows a run until an event of this type. */
async function until(run: Run, type: RunEventType): Promise<void> {
  const { stream } = await followRun({ client, path: { run_id: run.id } });
  for await (const event of stream) {
    assert.equal(event.run_id, run.id);
    if (event.type === type) return;
  }
  assert.fail(`no ${type}`);
}

async function decide(run: Run, action: PauseAction): Promise<void> {
  const body = { action, user_id: 'grace', inputs: { reviewer: 'Grace' }, comments: 'seen' };
  await processPauseAction({ client, path: { run_id: run.id }, body, throwOnError: true });
}

const checked = await validateWorkflow({ client, body: refund, throwOnError: true });
assert(checked.data.valid, JSON.stringify(checked.data.diagnostics));
const made = await createWorkflow({ client, body: refund, throwOnError: true });
const workflow = made.data;
assert.equal(workflow.version, 1);
const path = { workflow_id: workflow.id };

const [declined, approved] = [await start(workflow.id, 'Ada'), await start(workflow.id, 'Bea')];
await until(declined, 'pause_opened');
await until(approved, 'run_paused');
const paused = await listPausedWorkflows({ client, throwOnError: true });
const waiting = paused.data.find(({ run }) => run.id === approved.id);
assert.equal(waiting?.current_pause.pause_message, 'Please check.');
assert.deepEqual(waiting.current_pause.input_data?.['order'], { customer: 'Bea', amount: 120 });

await decide(declined, 'DECLINE');
await until(declined, 'run_canceled');
await decide(approved, 'APPROVE');
await until(approved, 'run_completed');
const done = await getRun({ client, path: { run_id: approved.id }, throwOnError: true });
assert.equal(done.data.status, 'COMPLETED');
assert.deepEqual(done.data.outputs?.['sent'], { customer: 'Bea', reviewer: 'Grace' });
assert.equal(done.data.tasks.find((task) => task.node_id === 'approval')?.status, 'COMPLETED');
const gone = await getRun({ client, path: { run_id: declined.id }, throwOnError: true });
assert.equal(gone.data.status, 'CANCELED');
assert.equal(gone.data.outputs?.['sent'], undefined);

const seen: string[] = [];
for (let page = 1; ; page += 1) {
  const { data } = await listRuns({ client, query: { page, page_size: 1 }, throwOnError: true });
  if (data.length === 0) break;
  seen.push(...data.map((run) => run.id));
}
assert.deepEqual(seen.toSorted(), [declined.id, approved.id].toSorted());

const unknown = { workflow_id: '00000000-0000-7000-8000-000000000000' };
problem(await getWorkflow({ client, path: unknown }), 404);
await createWorkflow({ client, body: { ...refund, name: 'Another' }, throwOnError: true });
problem(await patchWorkflow({ client, path, body: { name: 'Another' } }), 409);
const stale = await updateWorkflow({ client, path, body: refund, headers: { 'If-Match': '"another"' } });
assert.match(problem(stale, 412).current_etag ?? '', /^"/);
const links = [{ source_id: 'order', target_id: 'nowhere' }];
const broken = { ...refund, definition: { nodes: refund.definition.nodes, links } };
const [first] = problem(await createWorkflow({ client, body: broken }), 422).errors ?? [];
assert.equal(first?.pointer, '/definition/links/0/target_id');

console.log('the journey is done');
