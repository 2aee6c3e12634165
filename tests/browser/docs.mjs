// The steps of a user at /docs, with visible elements only: read, enter a key, and create, start, approve and read the
// workflow of the examples with "Try it out". `tests/it/contract/docs_page.rs` runs this with the address of a server, a
// key named "ada" and a folder for screenshots in the environment.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { SLUICE_URL, SLUICE_API_KEY, SLUICE_BROWSER } = process.env;
const { chromium } = createRequire(join(SLUICE_BROWSER, "package.json"))("playwright-core");
const screenshots = join(SLUICE_BROWSER, "screenshots");
mkdirSync(screenshots, { recursive: true });

// A host name that is not local, since Swagger UI omits some checks for local ones. No other host resolves.
const server = new URL(SLUICE_URL);
server.hostname = "sluice.test";
const origin = server.origin;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP sluice.test 127.0.0.1, MAP * ~NOTFOUND"],
});
const context = await browser.newContext({ viewport: { width: 1200, height: 1400 } });
context.setDefaultTimeout(20_000);
const page = await context.newPage();

// Errors in the console, which include violations of the content security policy.
const wrong = [];
const refused = /^Failed to load resource: the server responded with a status of 4\d\d/;
context.on("request", (request) => {
  const url = request.url();
  if (!url.startsWith(`${origin}/`) && !/^(data|blob):/.test(url)) wrong.push(`asks outside: ${url}`);
});
page.on("pageerror", (error) => wrong.push(`throws: ${error.message}`));
page.on("console", (message) => {
  const isSaid = ["error", "warning"].includes(message.type());
  if (isSaid && !refused.test(message.text())) wrong.push(`says: ${message.text()}`);
});

const picture = (name) => page.screenshot({ path: join(screenshots, `${name}.png`) });
const call = (tag, id) => page.locator(`[id="operations-${tag}-${id}"]`);

/** Opens a call, or closes it. */
const turn = (tag, id) => call(tag, id).locator(".opblock-summary-control").click();

/** Opens a call to try it out. */
async function unfold(tag, id) {
  const block = call(tag, id);
  await turn(tag, id);
  await block.locator(".try-out").waitFor();
  // An operation that was opened before is still open.
  const ready = block.getByRole("button", { name: "Try it out" });
  if (await ready.isVisible()) await ready.click();
  return block;
}

/** Carries a call out as it is filled in; what the page shows of the answer. */
async function execute(block) {
  await block.getByRole("button", { name: "Execute" }).click();
  const shown = block.locator(".live-responses-table .response").first();
  await shown.waitFor();
  const status = Number((await shown.locator(".response-col_status").innerText()).split(/\s/)[0]);
  const body = shown.locator("pre.microlight, .highlight-code pre").first();
  const text = await body.innerText();
  return { status, text, json: () => JSON.parse(text) };
}

/** What a call with these parameters gives, which is all that a person fills in. */
async function tryOut(tag, id, parameters = {}, expected = 200) {
  const block = await unfold(tag, id);
  for (const [name, value] of Object.entries(parameters)) {
    await block.locator(`tr[data-param-name="${name}"] input`).fill(value);
  }
  const answer = await execute(block);
  await picture(id);
  assert.equal(answer.status, expected, `${id}: ${answer.text}`);
  await block.getByRole("button", { name: "Clear" }).click();
  await turn(tag, id);
  await block.locator(".opblock-body").waitFor({ state: "detached" });
  return answer;
}

async function authorise(key) {
  await page.locator(".auth-wrapper .authorize").click();
  const form = page.locator(".dialog-ux .auth-container", { hasText: "(http, Bearer)" });
  await form.locator("input").fill(key);
  await picture("authorise");
  await form.getByRole("button", { name: "Apply credentials" }).click();
  await form.getByRole("button", { name: /logout|remove authorization/i }).waitFor();
  await form.getByRole("button", { name: "Close" }).click();
}

/** What is there to see, in an order in which a person needs it. */
async function contents() {
  await page.goto(`${origin}/docs`);
  await page.locator(".opblock").first().waitFor();
  await picture("contents");
  const tags = await page.locator(".opblock-tag").evaluateAll((all) => all.map((tag) => tag.dataset.tag));
  assert.deepEqual(tags.slice(0, 4), ["workflows", "versions", "runs", "pauses"]);
  const ids = (tag) =>
    page.locator(`[id^="operations-${tag}-"]`).evaluateAll((all, tag) => all.map((call) => call.id.slice(`operations-${tag}-`.length)), tag);
  assert.deepEqual((await ids("workflows")).slice(0, 4), ["listWorkflows", "createWorkflow", "validateWorkflow", "getWorkflow"]);
  assert.deepEqual((await ids("runs")).slice(0, 2), ["startRun", "runWorkflowV2"]);
  assert.deepEqual((await ids("pauses")).slice(0, 2), ["listPausedWorkflows", "processPauseAction"]);
  assert.equal(await page.locator(".errors-wrapper").count(), 0, "Swagger UI finds errors in the document");
}

/** Deep links: to calls, and from what is opened. */
async function links() {
  await page.goto("about:blank");
  await page.goto(`${origin}/docs/#/pauses/processPauseAction`);
  await call("pauses", "processPauseAction").locator(".opblock-body").waitFor();
  const top = await call("pauses", "processPauseAction").evaluate((block) => block.getBoundingClientRect().top);
  assert.ok(top >= 0 && top < 700, `it is out of sight: ${top}`);
  assert.equal(await page.locator(".opblock.is-open").count(), 1);
  await turn("pauses", "processPauseAction");
  await turn("runs", "getRun");
  await page.waitForURL(`${origin}/docs/#/runs/getRun`);
  await turn("runs", "getRun");
}

/** The models, of a body and below the calls: their names and fields can be read. */
async function models() {
  await turn("workflows", "createWorkflow");
  const body = call("workflows", "createWorkflow").locator(".opblock-section-request-body");
  await body.getByRole("tab", { name: "Schema" }).click();
  for (const field of ["name", "description", "definition"]) {
    await body.locator(".json-schema-2020-12-property", { hasText: field }).first().waitFor();
  }
  await body.scrollIntoViewIfNeeded();
  await picture("model-of-body");
  const section = page.locator("section.models");
  const toggle = section.locator("h4 button");
  if ((await toggle.getAttribute("aria-expanded")) !== "true") await toggle.click();
  const names = await section.locator(".json-schema-2020-12__title").allInnerTexts();
  for (const name of ["Problem", "ResumeRunRequest"]) assert.ok(names.includes(name), `${name} is not in ${names}`);
  await section.scrollIntoViewIfNeeded();
  await picture("models");
  await toggle.click();
  await turn("workflows", "createWorkflow");
}

/** From nothing to a result, with the examples as they are. */
async function journey() {
  const locked = (await tryOut("workflows", "createWorkflow", {}, 401)).json();
  assert.match(locked.help ?? locked.detail, /key/);
  await authorise(SLUICE_API_KEY);

  const workflow = (await tryOut("workflows", "createWorkflow")).json();
  const run = (await tryOut("runs", "startRun", { workflow_id: workflow.id })).json();
  const paused = await until(async () => {
    // No default filter hides it.
    const list = (await tryOut("pauses", "listPausedWorkflows")).json();
    return list.find((pause) => pause.run.id === run.id);
  });
  await tryOut("pauses", "processPauseAction", { run_id: run.id });
  const ended = await until(async () => {
    const read = (await tryOut("runs", "getRun", { run_id: run.id })).json();
    return read.status === "COMPLETED" && read;
  });
  assert.deepEqual(ended.outputs.output_node, { note: "hello" });

  const lists = [
    ["workflows", "listWorkflows", "id", workflow.id],
    ["runs", "listRuns", "id", run.id],
    ["audit", "listAudit", "operation", "createWorkflow"],
  ];
  for (const [tag, id, field, value] of lists) {
    const found = (await tryOut(tag, id)).json();
    assert.ok(found.some((item) => item[field] === value), `${id} shows ${JSON.stringify(found)}`);
  }
  await tryOut("workflows", "validateWorkflow");
  assert.match((await tryOut("workflows", "drawWorkflow", { workflow_id: workflow.id })).text, /^<svg/);
}

/** What comes of it, asked for again until there is something. */
async function until(ask) {
  const end = Date.now() + 20_000;
  for (;;) {
    const found = await ask();
    if (found) return found;
    assert.ok(Date.now() < end, "it takes too long");
  }
}

let isDone = false;
try {
  for (const part of [contents, links, models, journey]) await part();
  assert.deepEqual(wrong, []);
  isDone = true;
} finally {
  if (!isDone) {
    await picture("failed");
    console.error([`see ${screenshots}/failed.png`, ...wrong].join("\n"));
  }
  await browser.close();
}
console.log("the journey is done");
