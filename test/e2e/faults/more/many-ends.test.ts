/** Rows J1, J2 and J3: what is ended while it begins, goes on or will not (needs root). */
import test from 'ava';
import type { ControlClient } from '#model/ports.ts';
import { containerPictures } from '../../../support/container-pictures.ts';
import { DevCluster, eventually } from '../../../support/dev-cluster.ts';
import { identityOf, oneService, pidOf, running } from '../../../support/node-faults.ts';
import { settleNodes } from '../../../support/node-leftovers.ts';

/** J2 says 100: so often is an App of one name applied and deleted while it begins. */
const NAMESAKES = 10;
/** J3 says 1,000: so many tasks, of which half run when all go. */
const CROWD = 300;

let cluster: DevCluster;
let client: ControlClient;

test.before(async () => {
  cluster = await DevCluster.up({ times: 'test', nodes: 5, capacity: 'cpu=64,memory=64Gi' });
  client = cluster.client();
});
test.after.always('nothing is left', async t => {
  client.close();
  t.deepEqual(await cluster.down(), []);
});

test.serial('J1: a task that ignores TERM: its node is drained after the grace, it is killed, and its successor runs elsewhere', async t => {
  await cluster.apply(oneService({ name: 'deaf', script: 'trap "" TERM; while :; do sleep 1; done' }), '--wait');
  const [before] = await running(client, 'deaf');
  const node = before?.task.node ?? '';
  await cluster.ctl('node', 'drain', node, '--timeout', '2m');
  const [after] = await running(client, 'deaf');
  t.not(after?.task.node, node);
  t.not(after?.task.id, before?.task.id);
  t.is(identityOf(pidOf(before)), '', 'the drain ends after it');
  const exit = (await client.view({ app: 'deaf' })).tasks.find(({ task }) => task.id === before?.task.id)?.status?.lastExit;
  t.is(exit?.code, 137);
  await cluster.ctl('node', 'uncordon', node);
  await cluster.ctl('delete', 'app/deaf', '-y');
  await settleNodes(cluster);
});

test.serial(`J2: an App of one name, deleted while it begins, ${String(NAMESAKES)} times: each has tasks of its own, and nothing of the others is left`, async t => {
  t.timeout(900_000);
  const ids = new Set<string>();
  for (let round = 0; round < NAMESAKES; round += 1) {
    // Refused while the one before is on its way out.
    await eventually('it is taken', 120_000, async () => (await cluster.tryApply(oneService({ name: 'namesake', replicas: 3 }))).exitCode === 0);
    const tasks = await eventually('its tasks', 60_000, async () => {
      const seen = (await client.view({ app: 'namesake' })).tasks.filter(({ task }) => task.desired === 'run');
      return seen.length === 3 && seen;
    });
    t.false(tasks.some(({ task }) => ids.has(task.id)), 'a task of an earlier one');
    tasks.forEach(({ task }) => ids.add(task.id));
    await cluster.ctl('delete', 'app/namesake', '-y', '--detach');
  }
  await eventually('all of them gone', 120_000, async () => (await client.view({ app: 'namesake' })).tasks.every(({ status }) => status?.phase === 'complete' || status?.phase === 'failed'));
  await settleNodes(cluster);
  t.deepEqual([...containerPictures(cluster.layout).keys()], []);
});

test.serial(`J3: ${String(CROWD)} tasks, deleted when half of them run: all is at rest again`, async t => {
  t.timeout(900_000);
  const crowd = oneService({ name: 'crowd', replicas: CROWD, script: `trap "exit 0" TERM; while :; do sleep 3600; done & wait` });
  await cluster.apply(crowd);
  await eventually('half of them', 240_000, async () => (await client.view({ app: 'crowd' })).tasks.filter(({ state }) => state === 'running').length >= CROWD / 2);
  await cluster.ctl('delete', 'app/crowd', '-y', '--timeout', '4m');
  await settleNodes(cluster, 120_000);
  t.deepEqual([...containerPictures(cluster.layout).keys()], []);
});
