import { readFileSync } from 'node:fs';
import test from 'ava';
import { systemClock } from '#kit/clock.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { UsageSample } from '#model/usage.ts';
import { NatsNews } from '#news/nats-client.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';
import { silentLogger } from '../support/silent-logger.ts';

const LIMIT_MS = 60_000;
const APP = `
apiVersion: gantry/v1
kind: App
metadata: { name: busy }
services:
  spin:
    image: hello:1
    command: ["/bin/sh", "-c", "while :; do :; done"]
    replicas: 2
    resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { cpus: 0.2, memory: 32Mi } }
`;

let cluster: DevCluster;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 1, controllers: 2 });
});

test.after.always(async t => {
  t.deepEqual(await cluster.down(), []);
});

test.serial('where nothing was heard of any task, top says so and fails (root)', async t => {
  const { exitCode, stdout, stderr } = await cluster.tryCtl('top');
  t.is(exitCode, 1);
  t.is(stdout, '');
  t.regex(stderr, /^error: no usage samples; /);
});

test.serial('top shows what each task uses within its limits, and what a node gives to all (root)', async t => {
  await cluster.apply(APP, '--wait');
  const tasks = await eventually('the cpu of both tasks', LIMIT_MS, async () => {
    const all = await cluster.items('top');
    return all.length === 2 && all.every(task => Number(task['milliCpu']) > 50) && all;
  });
  const known = await cluster.tasks('busy/spin');
  t.deepEqual(tasks.map(namesOf), known.map(namesOf));
  for (const task of tasks) {
    t.true(Number(task['milliCpu']) < 400, `a limit of 0.2 holds: ${String(task['milliCpu'])}`);
    t.is(task['memoryLimitBytes'], 32 * 1024 ** 2);
    t.true(Number(task['memoryBytes']) > 0 && Number(task['memoryBytes']) < 32 * 1024 ** 2);
    t.true(Number(task['processes']) >= 1);
  }
  const [node] = await eventually('the sums of the node', LIMIT_MS, async () => {
    const all = await cluster.items('top', 'nodes');
    return all[0]?.['milliCpu'] !== null && all;
  });
  t.like(node, { name: 'n1', tasks: 2, capacity: { milliCpu: 4_000 } });
  t.true(Number(node?.['milliCpu']) > 50);
  const table = (await cluster.ctl('top')).trimEnd().split('\n');
  t.regex(table[0] ?? '', /^TASK +NAME +SERVICE +NODE +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +PIDS$/);
  t.is(table.length, 3);
});

test.serial('any controller answers (root)', async t => {
  await cluster.ctl('dev', 'kill', 'c1', '--name', cluster.name);
  t.is((await eventually('an answer of c2', LIMIT_MS, async () => await cluster.items('top'))).length, 2);
  await cluster.ctl('dev', 'start', 'c1', '--name', cluster.name);
});

test.serial('the certificate of a node opens nothing of NATS: it forges no usage and hears none; an operator hears what the node really reports (root)', async t => {
  const [task] = await cluster.tasks('busy/spin');
  const forged: UsageSample = {
    node: 'n1' as NodeId, task: String(task?.['id']) as TaskId, atMs: Date.now(), cpuMicroseconds: 1, memoryBytes: 777_777, memoryLimitBytes: 0,
    processes: 7, networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0,
  };
  const node = listener(nodeIdentity('n1'));
  const operator = listener(cluster.operatorIdentity());
  await eventually('reports of the node in five rounds', LIMIT_MS, () => {
    [node, operator].forEach(({ news }) => { news.publishUsage(forged); });
    return operator.heard.length >= 10;
  });
  const shown = (await cluster.items('top')).map(one => one['memoryBytes']);
  await Promise.all([node.stop(), operator.stop()]);
  t.is(shown.length, 2);
  t.false([...operator.heard.map(sample => sample.memoryBytes), ...shown].includes(777_777));
  t.deepEqual(node.heard, []);
  t.false(node.news.isConnected);
});

test.serial('with NATS dead top says that; with NATS back it shows tasks again (root)', async t => {
  await cluster.ctl('dev', 'kill', 'nats', '--name', cluster.name);
  const said = await eventually('the refusal', LIMIT_MS, async () => {
    const outcome = await cluster.tryCtl('top');
    return outcome.stderr.startsWith('error: no usage samples; NATS is not connected to the controller') && outcome;
  });
  t.is(said.exitCode, 1);
  await cluster.ctl('dev', 'start', 'nats', '--name', cluster.name);
  t.is((await eventually('two tasks again', LIMIT_MS, async () => {
    const all = await cluster.items('top');
    return all.length === 2 && all;
  })).length, 2);
});

function namesOf(task: Item): readonly unknown[] {
  return ['id', 'name', 'app', 'service', 'node'].map(field => task[field]);
}

function nodeIdentity(name: string): TlsIdentity {
  const pem = (file: string): string => readFileSync(`${cluster.layout.stateDir}/${name}/config/${file}.pem`, 'utf8');
  return { caPem: pem('ca'), pair: { certificatePem: pem('certificate'), keyPem: pem('key') } };
}

/** A client of NATS, and the usage that it hears. */
function listener(identity: TlsIdentity): { readonly news: NatsNews; readonly heard: readonly UsageSample[]; readonly stop: () => Promise<void> } {
  const { hostAddress, natsPort } = cluster.layout;
  const news = new NatsNews({
    servers: [`${hostAddress}:${String(natsPort)}`], identity: () => identity, onGap: () => undefined, clock: systemClock, log: silentLogger,
  });
  const ending = new AbortController();
  const heard: UsageSample[] = [];
  const running = Promise.all([
    news.run(ending.signal),
    (async () => { for await (const sample of news.usage(undefined, ending.signal)) heard.push(sample); })(),
  ]);
  return { news, heard, stop: async () => { ending.abort(); await running; } };
}
