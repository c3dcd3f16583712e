/** Jobs of several completions, a cron, and the ordinals of a stateful service whose node is removed, on real nodes. */
import test from 'ava';
import { cutDevNode } from '../../cli/dev/dev-fault-flow.ts';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import { lockApp } from '../support/fault-apps.ts';
import { LockServer } from '../support/lock-server.ts';
import type { Item } from '../support/dev-cluster.ts';

const APP = `apiVersion: gantry/v1
kind: App
metadata: { name: nightly }
services:
  numbers:
    kind: job
    image: hello:1
    command: [/bin/sh, -c, 'echo "number $GANTRY_SLOT"']
    job: { completions: 4, parallelism: 2 }
  report:
    kind: cron
    schedule: "SCHEDULE"
    timezone: Europe/Paris
    image: hello:1
    command: [/bin/sh, -c, 'echo "report of $GANTRY_SERVICE"; exit $(cat /etc/code)']
    history: { succeeded: 1, failed: 1 }
    job: { retries: 0 }
    configs: [{ source: code, target: /etc/code }]
configs:
  code: { content: "CODE" }
`;

/** Half a day from now, so that no run comes by itself. */
const SCHEDULE = `30 ${String((new Date().getUTCHours() + 12) % 24)} * * *`;

let cluster: DevCluster;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 2, controllers: 1 });
});

test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

test.serial('a job runs each of its completions once, with a number of its own (root)', async t => {
  await cluster.apply(appOf('0'), '--wait');
  t.deepEqual((await cluster.ctl('logs', '--all', 'nightly/numbers')).split('\n').filter(line => line !== '').map(line => line.replace(/^.*(?=number)/, '')).sort(), ['number 0', 'number 1', 'number 2', 'number 3']);
});

test.serial('a cron says when it runs, runs when it is told to, and keeps what it should of its runs (root)', async t => {
  const cron = JSON.parse(await cluster.ctl('get', 'cron', 'nightly/report', '-o', 'json')) as Item;
  t.like(cron, { kind: 'cron', cron: { schedule: SCHEDULE, timezone: 'Europe/Paris', lastRun: null } });
  t.regex(await cluster.ctl('ps'), /nightly\/report .*scheduled .*next in .*, no run yet/);
  const first = /job\/(nightly\/report-run-\w+) complete/.exec(await cluster.ctl('trigger', '--wait', 'nightly/report'))?.[1] ?? '';
  t.regex(await cluster.ctl('logs', '--all', first), /report of report-run-/);
  await cluster.ctl('trigger', '--wait', 'nightly/report');
  await eventually('one of two good runs is kept', 60_000, async () => runsIn(await cluster.ctl('describe', 'cron/nightly/report')).join() === 'succeeded');
  await cluster.apply(appOf('3'));
  await t.throwsAsync(cluster.ctl('trigger', '--wait', 'nightly/report'), { message: /failed: job failed/ });
  t.deepEqual(runsIn(await cluster.ctl('describe', 'cron/nightly/report')).toSorted(), ['failed', 'succeeded']);
});

test.serial('a stateful service of a lost node waits for it until an operator removes the node: then its ordinals run elsewhere, by their names, each once (root)', async t => {
  const address = cluster.layout.hostAddress;
  const locks = await LockServer.listen(address);
  t.teardown(async () => { await locks.close(); });
  await cluster.nodesTakeTasks();
  await cluster.apply(lockApp({ address, port: locks.port }, 2), '--wait');
  const before = await cluster.tasks('locks/db');
  const lost = before.filter(task => task['node'] === 'n2');
  t.is(lost.length, 1);
  await cutDevNode(cluster.name, 'n2', 'both');
  await eventually('n2 lost', 60_000, async () => (await cluster.items('get', 'nodes')).find(node => node['name'] === 'n2')?.['state'] === 'lost');
  t.deepEqual((await cluster.tasks('locks/db')).map(task => task['id']).sort(), before.map(task => task['id']).sort());
  await cluster.ctl('node', 'rm', 'n2', '-y');
  await eventually('both ordinals on n1', 60_000, async () => {
    const now = await cluster.tasks('locks/db');
    return now.length === 2 && now.every(task => task['node'] === 'n1' && task['state'] === 'running');
  });
  t.deepEqual((await cluster.tasks('locks/db')).map(task => task['name']).sort(), ['db-0', 'db-1']);
  const slot = String(lost[0]?.['slot']);
  await eventually('the lock of the freed ordinal is taken over', 60_000, () => Promise.resolve(locks.holderOf(`db-${slot}`)?.startsWith(String(lost[0]?.['id'])) === false));
  t.deepEqual(locks.violations, []);
});

function appOf(code: string): string {
  return APP.replace('SCHEDULE', SCHEDULE).replace('CODE', code);
}

/** States of the runs that `describe` lists. */
function runsIn(text: string): readonly string[] {
  return [...text.matchAll(/^nightly\/report-run-\w+ +(\w+) /gm)].map(match => match[1] ?? '');
}
