/** Every bad manifest against a real cluster: through clusterctl, and past its reader as a typed message. Needs root. */
import { randomUUID } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ClusterError } from '#model/errors.ts';
import type { ControlClient } from '#model/ports.ts';
import type { ClusterFile } from '../../cli/dev/cluster-file.ts';
import { probeControllers } from '../support/api-calls.ts';
import { buildBytes, readBadInputs, shuffled } from '../support/bad-input.ts';
import type { BadInput } from '../support/bad-input.ts';
import { ClusterEye } from '../support/cluster-picture.ts';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import { runMeasured } from '../support/measured-run.ts';
import type { MeasuredRun } from '../support/measured-run.ts';
import { TYPED_CASES } from '../support/typed-cases.ts';
import { seed } from '../support/seed.ts';

/** What a terminal or a reader of logs could act on; a line ends in a newline. */
const RAW_CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff]/;
/** Time and memory of the machine's own, on top of a limit, and what a limit grows by where a run shares two cores with others. */
const SLACK_MS = 3_000;
const SHARED_CORES = 4;
const SLACK_MIB = 15;
const notTyped = new Map<string, string[]>();

let cluster: DevCluster;
let eye: ClusterEye;
let client: ControlClient;
let processes: ClusterFile['processes'];
/** clusterctl with an empty file: what a run costs without its input. */
let bare: MeasuredRun;

test.before(async t => {
  t.timeout(300_000);
  t.log(`SEED=${String(seed)}`);
  cluster = await DevCluster.up({ nodes: 2 });
  eye = new ClusterEye(cluster);
  client = cluster.client();
  ({ processes } = cluster.file);
  const empty = path.join(cluster.home, 'empty.yaml');
  writeFileSync(empty, '');
  bare = await runMeasured(cluster, ['apply', '-f', empty]);
});

async function applyFile(file: string, ...flags: readonly string[]): Promise<MeasuredRun> {
  return await runMeasured(cluster, ['apply', '-f', file, ...flags]);
}

function judgeRefusal(t: ExecutionContext, input: BadInput, run: MeasuredRun): void {
  const { field, words = [], line, lineAny } = input.expect;
  t.is(run.exitCode, 1, run.output);
  t.notRegex(run.output, RAW_CONTROL);
  const [, , shownLine = '', , shownPath = '', message = ''] = /^(.+?):(\d+):(\d+) (.+?): (.*)$/m.exec(run.output) ?? [];
  t.true(shownPath === field || shownPath.endsWith(`.${String(field)}`), `${String(field)} is named by ${run.output}`);
  t.true(words.some(word => new RegExp(word, 'i').test(message)), `${message} says one of ${words.join(', ')}`);
  const lines = lineAny ?? (line === null ? [] : [line]);
  t.true(lines.length === 0 || lines.includes(Number(shownLine)), `line ${shownLine} is one of ${lines.join(', ')}`);
}

function judgeLimits(t: ExecutionContext, input: BadInput, run: MeasuredRun): void {
  const limitMs = input.limits?.ms ?? (input.limits?.s === undefined ? 1_000 : input.limits.s * 1_000);
  t.true(run.elapsedMs - bare.elapsedMs < limitMs * SHARED_CORES + SLACK_MS, `${run.elapsedMs.toFixed()} ms, ${bare.elapsedMs.toFixed()} ms without input`);
  if (input.limits?.rssDeltaMB !== undefined) {
    t.true(run.peakMib - bare.peakMib < input.limits.rssDeltaMB + SLACK_MIB, `${run.peakMib.toFixed()} MiB, ${bare.peakMib.toFixed()} MiB without input`);
  }
}

/** The same fault as a typed message is refused at the same field. */
async function refuseTyped(t: ExecutionContext, input: BadInput): Promise<void> {
  const typed = TYPED_CASES[input.id];
  if (typed === undefined) {
    t.fail(`${input.id} has no typed message and no reason in test/support/typed-cases.ts`);
    return;
  }
  if ('reason' in typed) {
    notTyped.set(typed.reason, [...(notTyped.get(typed.reason) ?? []), input.id]);
    return;
  }
  const refusal = await t.throwsAsync(client.apply({ requestId: randomUUID(), app: typed, isDryRun: false }), { instanceOf: ClusterError });
  t.is(refusal.code, 'INVALID_ARGUMENT');
  const [first] = refusal.violations;
  const { field, words = [] } = input.expect;
  const isNamed = first !== undefined && (first.path.startsWith(String(field)) || first.path.endsWith(`.${String(field)}`));
  t.true(isNamed && words.some(word => new RegExp(word, 'i').test(first.message)), `${String(field)}: ${JSON.stringify(refusal.violations)}`);
  t.notRegex(JSON.stringify(first), RAW_CONTROL);
}

async function refuse(t: ExecutionContext, input: BadInput, file: string): Promise<void> {
  const before = await eye.picture();
  for (const _ of [1, 2]) {
    const run = await applyFile(file);
    judgeRefusal(t, input, run);
    judgeLimits(t, input, run);
    await refuseTyped(t, input);
    t.deepEqual(await eye.picture(), before, 'nothing changed');
  }
}

async function removeApp(name: string): Promise<void> {
  await client.deleteApp({ requestId: randomUUID(), namespace: 'default', app: name, withVolumes: false });
  await eye.settled();
}

/** Accepted, the same when applied again; a dry run says so and changes nothing. */
async function accept(t: ExecutionContext, file: string): Promise<void> {
  const before = await eye.picture();
  t.is((await applyFile(file, '--dry-run')).exitCode, 0);
  t.deepEqual(await eye.picture(), before, 'a dry run changes nothing');
  const first = await applyFile(file);
  t.is(first.exitCode, 0, first.output);
  t.regex((await applyFile(file)).output, /unchanged \(revision 1\)/);
}

type Special = (t: ExecutionContext, input: BadInput, file: string) => Promise<void>;

/** Cases that are not refused, each with what must come of it. */
const SPECIAL: Readonly<Record<string, Special>> = {
  async m025(t, input, file) {
    await accept(t, file);
    writeFileSync(file, new TextDecoder().decode(buildBytes(input)).replace(/^\ufeff/, '').replaceAll('\r\n', '\n'));
    t.regex((await applyFile(file)).output, /unchanged \(revision 1\)/, 'the LF form is the same App');
    await removeApp('shop');
  },
  async m053(t, _input, file) {
    await accept(t, file);
    const reason = await eventually('a pending task with its reason', 60_000, async () => (await client.view({ app: 'shop' })).pending[0]?.reason);
    t.regex(reason, /memory/);
    await removeApp('shop');
  },
  async m057(t, input, file) {
    // The case's image is of no registry; one that runs takes its place, so that two tasks can.
    writeFileSync(file, new TextDecoder().decode(buildBytes(input)).replace(/image: \S+/, 'image: hello:1'));
    await accept(t, file);
    const view = await eventually('two running tasks and one pending', 60_000, async () => {
      const now = await client.view({ app: 'shop' });
      return now.pending.length === 1 && now.tasks.filter(task => task.state === 'running').length === 2 ? now : undefined;
    });
    t.is(new Set(view.tasks.map(task => task.task.node)).size, 2);
    t.regex(view.pending[0]?.reason ?? '', /port.*8080|8080.*port/);
    await removeApp('shop');
  },
  async m089(t, input, file) {
    t.is((await applyFile(file)).exitCode, 0);
    writeFileSync(file, `${new TextDecoder().decode(buildBytes(input)).trimEnd()}\n    replicas: 2\n`);
    const plan = await runMeasured(cluster, ['plan', '-f', file, '--save', '-q']);
    t.is(plan.exitCode, 1, plan.output);
    const id = /[a-z2-7]{12}/.exec(plan.output)?.[0] ?? '';
    await cluster.ctl('scale', 'shop/web=3');
    const before = await eye.keys(['app', 'revision', 'service']);
    const run = await applyFile(file, '--plan', id);
    t.is(run.exitCode, 1);
    t.regex(run.output, new RegExp(`the cluster changed since plan ${id} was made \\(expected revision \\d+, is \\d+\\): .*service/default/shop/web was changed.*plan again`));
    t.deepEqual(await eye.keys(['app', 'revision', 'service']), before);
    t.is((await client.view({ app: 'shop' })).services[0]?.service.spec.replicas, 3);
    await removeApp('shop');
  },
};

const cases = readBadInputs('manifests.jsonl').map(input => {
  // It leaves 2000 Apps behind: the last one, whatever the order.
  const rank = input.id === 'm091' ? 1 : 0;
  return { input, rank };
});

for (const { input } of shuffled(cases, seed).toSorted((left, right) => left.rank - right.rank).filter(one => one.rank === 0)) {
  test.serial(`${input.id}: ${input.intent}`, async t => {
    const file = path.join(cluster.home, `${input.id}.yaml`);
    writeFileSync(file, buildBytes(input));
    const special = SPECIAL[input.id];
    if (special !== undefined) {
      await special(t, input, file);
    } else {
      t.is(input.expect.outcome, 'reject', 'a case that is not refused says what must come of it in SPECIAL');
      await refuse(t, input, file);
    }
    await t.notThrowsAsync(probeControllers(cluster));
  });
}

test.serial('every process is the one that it was, and no log has a control character', t => {
  t.deepEqual(cluster.file.processes, processes);
  const logs = path.join(cluster.layout.stateDir, 'logs');
  for (const name of readdirSync(logs)) {
    const text = readFileSync(path.join(logs, name), 'utf8');
    t.notRegex(text, RAW_CONTROL, name);
    t.notRegex(text, /^FAKE LOG LINE/m, name);
  }
});

test.serial('m091: 2000 valid documents in one apply are all accepted, or none', async t => {
  t.timeout(300_000);
  const input = cases.find(one => one.input.id === 'm091')?.input;
  if (input === undefined) {
    t.fail('the case is gone');
    return;
  }
  const file = path.join(cluster.home, 'm091.yaml');
  writeFileSync(file, buildBytes(input));
  const before = await eye.keys(['app', 'revision', 'service']);
  const run = await applyFile(file);
  judgeLimits(t, input, run);
  await t.notThrowsAsync(probeControllers(cluster));
  const apps = await eye.keys(['app']);
  if (run.exitCode === 0) {
    t.is(apps.length, 2000);
    t.is((await eye.keys(['service'])).length, 2000, 'each App has its service');
  } else {
    t.deepEqual(await eye.keys(['app', 'revision', 'service']), before);
    t.true((input.expect.words ?? []).some(word => new RegExp(word, 'i').test(run.output)), run.output);
  }
});

test.serial('what could not be typed is counted; the cluster goes without a trace', async t => {
  for (const [reason, ids] of notTyped) {
    const each = [...new Set(ids)];
    t.log(`not typed: ${String(each.length)} (${each.join(' ')}): ${reason}`);
  }
  eye[Symbol.dispose]();
  client.close();
  t.deepEqual(await cluster.down(), []);
});

test.after.always('a run that broke off leaves nothing', async () => {
  await (cluster as DevCluster | undefined)?.down().catch(() => undefined);
});
