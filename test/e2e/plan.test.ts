/** What `plan` names is what then happens; what `why` says is so. Needs root. PLAN_CHANGES=50 SEED=1 for a longer run. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import type { ControlClient } from '#model/ports.ts';
import { isFinished } from '#model/task.ts';
import { Random } from '../sim/random.ts';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';
import { seed } from '../support/seed.ts';

const CHANGES = Number(process.env['PLAN_CHANGES'] ?? 10);
const LIMIT_MS = 90_000;

interface Plan {
  readonly actions: readonly Item[];
  readonly unplaced: readonly Item[];
  readonly changes: readonly Item[];
  readonly planId: string | null;
}

let cluster: DevCluster;
let client: ControlClient;

test.before(async () => {
  cluster = await DevCluster.up();
  client = cluster.client();
});
test.after.always(async t => {
  client.close();
  t.deepEqual(await cluster.down(), []);
});

type Services = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

function fileOf(services: Services): string {
  const file = path.join(cluster.home, 'mix.yaml');
  writeFileSync(file, JSON.stringify({ apiVersion: 'gantry/v1', kind: 'App', metadata: { name: 'mix' }, services }));
  return file;
}

function hello(options: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    image: 'hello:1', init: true, replicas: 2, update: { monitor: '100ms' }, stop_grace_period: '1s',
    resources: { requests: { cpus: 0.05, memory: '16Mi' }, limits: { memory: '32Mi' } }, ...options,
  };
}

/** One more change of the App: a count, a template, an amount, a rule, a service more, a service less. */
function mixed(services: Services, random: Random, change: number): Services {
  const names = Object.keys(services).sort();
  const name = random.pick(names) ?? 'web';
  const current = services[name] ?? hello();
  const resources = { requests: { cpus: random.between(1, 4) / 20, memory: '16Mi' }, limits: { memory: '32Mi' } };
  const edits: readonly (() => Services)[] = [
    () => ({ ...services, [name]: { ...current, replicas: random.between(1, 5) } }),
    () => ({ ...services, [name]: { ...current, environment: { CHANGE: String(change) } } }),
    () => ({ ...services, [name]: { ...current, resources } }),
    () => ({ ...services, [name]: { ...current, placement: { require: [`node != n${String(random.between(1, 3))}`] } } }),
    () => ({ ...services, [`s${String(change)}`]: hello({ replicas: random.between(1, 4), resources }) }),
    () => (names.length < 2 ? services : Object.fromEntries(Object.entries(services).filter(([one]) => one !== name))),
  ];
  return (random.pick(edits) ?? edits[0])?.() ?? services;
}

/** Of all nodes: one that is silent while it plans, and not when it is applied, would make it another plan. */
async function plan(...args: readonly string[]): Promise<{ readonly exitCode: number | null; readonly plan: Plan }> {
  await cluster.nodesTakeTasks();
  const { exitCode, stdout, stderr } = await cluster.tryCtl('plan', ...args, '-o', 'json');
  if (stdout === '') throw new Error(stderr);
  return { exitCode, plan: JSON.parse(stdout) as Plan };
}

function expected({ actions }: Plan): readonly string[] {
  return actions.filter(action => action['kind'] !== 'stop').map(action => `${String(action['service'])}/${String(action['slot'])} ${String(action['node'])}`).sort();
}

/** Where the wanted tasks run once every rollout is settled and nothing else is there. */
async function atRest(): Promise<readonly string[]> {
  return await eventually('a cluster at rest', LIMIT_MS, async () => {
    const { services, tasks } = await client.view({});
    const left = tasks.filter(({ status }) => !isFinished(status?.phase ?? 'pending'));
    const isSettled = services.every(({ status, service }) => status?.rollout.state === 'settled' && status.settledRevision === service.revision);
    const isStill = left.every(({ task, state }) => task.desired === 'run' && state === 'running');
    const isFull = services.reduce((sum, { wanted }) => sum + wanted, 0) === left.length;
    return isSettled && isStill && isFull ? left.map(({ task }) => `${task.service}/${String(task.slot)} ${task.node}`).sort() : undefined;
  });
}

test.serial(`${String(CHANGES)} mixed changes end exactly where their plans said (root)`, async t => {
  t.timeout(CHANGES * 60_000);
  t.log(`SEED=${String(seed)}`);
  const random = new Random(seed);
  let services: Services = { api: hello({ replicas: 3 }), web: hello() };
  for (let change = 1; change <= CHANGES; change += 1) {
    const file = fileOf(services);
    const { plan: planned, exitCode } = await plan('-f', file);
    t.is(exitCode, planned.changes.length === 0 ? 0 : 1);
    await cluster.ctl('apply', '-f', file, '--detach');
    t.deepEqual(await atRest(), expected(planned), `change ${String(change)}: ${JSON.stringify(planned.changes)}`);
    services = mixed(services, random, change);
  }
});

test.serial('a plan without a node is what a drain of it does; the plan itself changes nothing', async t => {
  await cluster.nodesTakeTasks();
  await cluster.ctl('apply', '-f', fileOf({ web: hello({ replicas: 5 }) }), '--detach');
  const before = await atRest();
  const { plan: planned } = await plan('--without-node', 'n3');
  t.deepEqual(await atRest(), before);
  await cluster.ctl('node', 'drain', 'n3');
  const moved = new Map(planned.actions.filter(action => action['kind'] === 'move').map(action => [`${String(action['service'])}/${String(action['slot'])}`, String(action['node'])]));
  const after = before.map(line => line.split(' ')).map(([slot = '', node = '']) => `${slot} ${moved.get(slot) ?? node}`).sort();
  t.deepEqual(await eventually('n3 is empty', LIMIT_MS, async () => {
    const now = await atRest();
    return now.some(line => line.endsWith(' n3')) ? undefined : now;
  }), after);
  t.true(moved.size > 0);
  await cluster.ctl('node', 'uncordon', 'n3');
});

test.serial('a saved plan is carried out once nothing changed, and refused with what did', async t => {
  const file = fileOf({ web: hello({ replicas: 1 }) });
  const { plan: saved } = await plan('-f', file, '--save');
  t.is((await cluster.tryCtl('apply', '-f', file, '--plan', saved.planId ?? '', '--detach')).exitCode, 0);
  t.deepEqual(await atRest(), expected(saved));
  const wider = fileOf({ web: hello({ replicas: 2 }) });
  const { plan: stale } = await plan('-f', wider, '--save');
  await cluster.ctl('node', 'cordon', 'n2');
  const refused = await cluster.tryCtl('apply', '-f', wider, '--plan', stale.planId ?? '');
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /node\/n2 was changed; plan again/);
  await cluster.ctl('node', 'uncordon', 'n2');
  t.regex((await cluster.tryCtl('apply', '-f', wider, '--plan', 'zzzzzzzzzzzz')).stderr, /no plan "zzzzzzzzzzzz" is kept/);
});

test.serial('exit codes: 0 nothing, 1 changes, 2 an error; a refusal names file and line; diff names fields', async t => {
  const same = fileOf({ web: hello({ replicas: 1 }) });
  t.is((await cluster.tryCtl('diff', '-f', same)).exitCode, 0);
  const bad = fileOf({ web: { image: 'hello:1', replicas: -1 } });
  const refused = await cluster.tryCtl('plan', '-f', bad);
  t.is(refused.exitCode, 2);
  t.regex(refused.stderr, /mix\.yaml:1:\d+ services\.web\.replicas: /);
  t.is((await cluster.tryCtl('plan', '-f', path.join(cluster.home, 'absent.yaml'))).exitCode, 2);
  t.is((await cluster.tryCtl('plan')).exitCode, 2);
  t.is((await cluster.tryCtl('plan', '--without-node', 'n9')).exitCode, 2);
  const diff = await cluster.tryCtl('diff', '-f', fileOf({ web: hello({ replicas: 2 }) }));
  t.is(diff.exitCode, 1);
  t.regex(diff.stdout, /mix\/web\n {2}~ replicas: 1 -> 2\n/);
});

test.serial('why: pending with a fix that then helps; placed; not there', async t => {
  const huge = (cpus: number): Services => ({ huge: hello({ replicas: 1, resources: { requests: { cpus, memory: '16Mi' }, limits: { memory: '32Mi' } } }) });
  await cluster.nodesTakeTasks();
  await cluster.ctl('apply', '-f', fileOf(huge(64)), '--detach');
  const why = async (...args: readonly string[]): Promise<Item> => JSON.parse(await cluster.ctl('why', ...args, '-o', 'json')) as Item;
  const pending = await eventually('why says pending', LIMIT_MS, async () => {
    const answer = await why('mix/huge');
    return answer['state'] === 'pending' ? answer : undefined;
  });
  const [reason] = pending['reasons'] as readonly Item[];
  t.like(reason, { rule: 'cpu', nodes: ['n1', 'n2', 'n3'], need: '64 cpu' });
  const { edit } = pending['fix'] as { readonly edit: Item };
  t.is(edit['path'], 'services.huge.resources.requests.cpus');
  await cluster.ctl('apply', '-f', fileOf(huge(Number(edit['value']))), '--detach');
  t.is((await atRest()).length, 1);
  const [task] = await cluster.tasks('mix/huge');
  t.regex(await cluster.ctl('why', `task/${String(task?.['id'])}`), /made because[^]*is on n\d/);
  const elsewhere = ['n1', 'n2', 'n3'].find(node => node !== task?.['node']) ?? '';
  t.is((await why('svc/mix/huge', '--node', elsewhere))['state'], `not on ${elsewhere}`);
  t.is((await cluster.tryCtl('why', 'mix/absent')).exitCode, 1);
});
