import test from 'ava';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';

/** `'string'`, `'number|null'`, `'time'`, words `'=ready,lost'`; a list holds what its one element says; of an object all these fields. */
type Shape = string | readonly [Shape] | { readonly [field: string]: Shape };

const LIMIT_MS = 60_000;
const RESOURCES = 'resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 32Mi } }';
const APP = `
apiVersion: gantry/v1
kind: App
metadata: { name: shapes }
services:
  web:
    image: hello:1
    ports: ["18097:80"]
    ${RESOURCES}
  crash:
    image: hello:1
    command: ["/bin/sh", "-c", "exit 3"]
    ${RESOURCES}
  big:
    image: hello:1
    resources: { requests: { cpus: 100, memory: 16Mi } }
`;

const NODE: Shape = {
  name: 'string', state: '=ready,lost,draining,cordoned', condition: '=ready,silent,lost', networkFault: 'string|null', listeningPorts: ['string'], drained: 'boolean', labels: { node: 'string' }, taints: ['string'], address: 'string',
  capacity: { milliCpu: 'number', memoryBytes: 'number', pids: 'number', devices: {} }, allocated: { milliCpu: 'number', memoryBytes: 'number' },
  agentVersion: 'string', capabilities: ['string'], runtimes: ['string'], lastSeen: 'time',
};
const SERVICE: Shape = {
  namespace: 'string', app: 'string', name: 'string', kind: '=service,job,global,cron,stateful', replicas: 'number', running: 'number', healthy: 'number',
  revision: 'number', image: 'string', digest: 'string', virtualIp: 'string',
  ports: [{ published: 'number|null', target: 'number', protocol: '=tcp,udp', mode: '=ingress,host' }],
  endpoints: [{ task: 'string', address: 'string', port: 'number|null', healthy: 'boolean' }], rollout: { state: 'string', reason: 'string' },
};
const TASK: Shape = {
  id: 'string|null', name: 'string', namespace: 'string', app: 'string', service: 'string', slot: 'number', node: 'string|null', desired: 'string',
  state: '=pending,assigned,pulling,preparing,starting,running,stopping,complete,failed,lost,paused', health: 'string', reason: 'string', message: 'string',
  image: 'string|null', digest: 'string|null', address: 'string|null', pid: 'number|null', attempt: 'number', restarts: 'number', exitCode: 'number|null',
  createdAt: 'time|null', startedAt: 'time|null', finishedAt: 'time|null',
};
const LAST_EXIT: Shape = { code: 'number', reason: 'string', finishedAt: 'time' };
const APP_ITEM: Shape = { namespace: 'string', name: 'string', revision: 'number', services: ['string'], state: 'string' };
const EVENT: Shape = { time: 'time', type: '=normal,warning', object: 'string', reason: 'string', message: 'string', messages: [{ time: 'time', firstTime: 'time', message: 'string', count: 'number' }] };
const DEV_STATUS: Shape = {
  url: 'string|null', registry: 'string',
  processes: [{ name: 'string', kind: '=etcd,nats,registry,controller,deadman,agent', node: 'string|null', pid: 'number' }],
};
const VIOLATION: Shape = { file: 'string|null', line: 'number|null', column: 'number|null', path: 'string', message: 'string', hint: 'string|null' };
const PLACE: Shape = { file: 'string', line: 'number', column: 'number' };
const ERROR: Shape = { error: { code: 'string', message: 'string', violations: [VIOLATION] } };

let cluster: DevCluster;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 1, controllers: 1 });
  await cluster.apply(APP);
  await eventually('one that runs, one without a place', LIMIT_MS, async () => {
    const tasks = await cluster.tasks();
    return tasks.some(task => task['service'] === 'web' && task['state'] === 'running')
      && tasks.some(task => task['service'] === 'big' && task['state'] === 'pending');
  });
});

test.after.always(async t => {
  t.deepEqual(await cluster.down(), []);
});

for (const [command, shape] of [['get nodes', NODE], ['get svc', SERVICE], ['get tasks', TASK], ['ps', TASK], ['get apps', APP_ITEM]] as const) {
  test.serial(`${command}: items have the fields that scripts rely on (root)`, async t => {
    const items = await cluster.items(...command.split(' '));
    t.true(items.length > 0);
    t.deepEqual(items.flatMap(item => problemsOf(item, shape, command)), []);
  });
}

test.serial('one named object stands alone, in the shape of an item (root)', async t => {
  const web = JSON.parse(await cluster.ctl('get', 'svc', 'shapes/web', '-o', 'json')) as Item;
  t.deepEqual(problemsOf(web, SERVICE, 'web'), []);
  t.like(web, { namespace: 'default', app: 'shapes', name: 'web', kind: 'service', replicas: 1, ports: [{ published: 18_097, target: 80, protocol: 'tcp', mode: 'ingress' }] });
  t.is((web['endpoints'] as readonly unknown[]).length, 1);
});

test.serial('a task says what became of its last attempt; nulls stand where nothing is known (root)', async t => {
  const taskOf = async (service: string): Promise<Item> => (await cluster.tasks(`shapes/${service}`))[0] ?? {};
  const web = await taskOf('web');
  t.like(web, { exitCode: null, lastExit: null, finishedAt: null });
  for (const field of ['pid', 'address', 'startedAt', 'digest']) {
    t.not(web[field], null, field);
  }
  const crash = await eventually('an attempt that ended', LIMIT_MS, async () =>
    (await cluster.items('ps', '-a')).find(task => task['service'] === 'crash' && task['lastExit'] !== null));
  t.is(crash['exitCode'], 3);
  t.deepEqual(problemsOf(crash['lastExit'], LAST_EXIT, 'lastExit'), []);
  t.like(await taskOf('big'), { id: null, node: null, state: 'pending', pid: null, lastExit: null });
});

test.serial('events are one JSON object a line (root)', async t => {
  for (const command of [['events'], ['get', 'events']]) {
    const lines = (await cluster.ctl(...command, '-o', 'json')).trimEnd().split('\n');
    t.true(lines.length > 1);
    t.deepEqual(lines.flatMap(line => problemsOf(JSON.parse(line), EVENT, line)), []);
  }
});

test.serial('dev status has every process, with the controllers dead too (root)', async t => {
  const status = async (): Promise<Item> => JSON.parse(await cluster.ctl('dev', 'status', cluster.name, '-o', 'json')) as Item;
  const before = await status();
  t.deepEqual(problemsOf(before, DEV_STATUS, 'status'), []);
  t.deepEqual((before['processes'] as readonly Item[]).map(({ kind, node }) => `${String(kind)} ${String(node)}`).sort(),
    ['agent n1', 'controller null', 'deadman n1', 'etcd null', 'nats null', 'registry null']);
  await cluster.ctl('dev', 'kill', 'c1', '--name', cluster.name);
  t.is((await status())['registry'], before['registry']);
});

test.serial('errors are one object on stderr, with where a manifest is wrong (root)', async t => {
  const bad = await cluster.tryApply(APP.replace('image: hello:1', 'imag: hello:1'), '-o', 'json');
  t.deepEqual([bad.exitCode, bad.stdout], [1, '']);
  const refused = JSON.parse(bad.stderr) as { readonly error: { readonly violations: readonly unknown[] } };
  t.deepEqual(problemsOf(refused, ERROR, 'error'), []);
  t.deepEqual(refused.error.violations.flatMap(violation => problemsOf(violation, PLACE, 'violation')), []);
  t.true(refused.error.violations.length > 0);
  const unreachable = await cluster.tryCtl('get', 'svc', '-o', 'json');
  t.deepEqual([unreachable.exitCode, unreachable.stdout], [3, '']);
  t.deepEqual(problemsOf(JSON.parse(unreachable.stderr), ERROR, 'error'), []);
});

/** What of the shape does not hold of the value. */
function problemsOf(value: unknown, shape: Shape, at: string): readonly string[] {
  if (typeof shape === 'string') {
    return isOf(value, shape) ? [] : [`${at} is ${value === undefined ? 'missing' : JSON.stringify(value)}, not ${shape}`];
  }
  if (isList(shape)) {
    const [each] = shape;
    return Array.isArray(value) ? value.flatMap((one, index) => problemsOf(one, each, `${at}[${String(index)}]`)) : [`${at} is no list`];
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(shape).flatMap(([field, inner]) => problemsOf((value as Item)[field], inner, `${at}.${field}`))
    : [`${at} is no object`];
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}

function isOf(value: unknown, shape: string): boolean {
  if (shape.startsWith('=')) {
    return shape.slice(1).split(',').some(word => word === value);
  }
  return shape.split('|').some(kind => (kind === 'null' ? value === null
    : kind === 'time' ? typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value) : typeof value === kind));
}
