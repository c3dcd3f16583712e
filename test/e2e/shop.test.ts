import test from 'ava';
import path from 'node:path';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';
import { settleNodes } from '../support/node-leftovers.ts';
import { visit } from '../support/shop-visit.ts';

const PORT = 18083;
const PAGE = `http://127.0.0.1:${String(PORT)}/`;
const EXAMPLE = path.resolve(import.meta.dirname, '../../deploy/examples/shop.yaml');

let cluster: DevCluster;

test.before(async () => { cluster = await DevCluster.up({ images: ['shop'] }); });

test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

test.serial('the example comes up in the order of its dependencies (root)', async t => {
  await cluster.ctl('apply', '-f', EXAMPLE, '--var', `SHOP_PORT=${String(PORT)}`, '--wait');
  const tasks = (await cluster.tasks()).filter(task => task['app'] === 'shop');
  t.deepEqual(tasks.map(task => String(task['service'])).sort(), ['app', 'app', 'front', 'front', 'redis']);
  t.true(tasks.every(task => task['health'] === 'healthy'));
  const earliest = (service: string, field: string): number => Math.min(...tasks.filter(task => task['service'] === service).map(task => Date.parse(String(task[field]))));
  // Of a task that was restarted since, the start that counted is not told any more.
  const isFirst = tasks.every(task => task['restarts'] === 0);
  t.true(!isFirst || earliest('app', 'createdAt') >= earliest('redis', 'startedAt'), 'app is made once redis serves');
  t.true(!isFirst || earliest('front', 'createdAt') >= earliest('app', 'startedAt'), 'front is made once one of app serves');
});

test.serial('visits are counted through every node, by every server', async t => {
  const served = new Set<string>();
  let last = 0;
  for (let round = 0; round < 24; round += 1) {
    const node = cluster.layout.nodes[round % 3];
    const answer = await visit(`http://${node?.address ?? ''}:${String(PORT)}/`);
    t.is(answer.visits, last + 1);
    last = answer.visits;
    served.add(answer.servedBy);
  }
  t.is(served.size, 2);
});

test.serial('the count goes on after redis was killed, and after it was replaced', async t => {
  const before = await visit(PAGE);
  const redis = await redisTask();
  process.kill(Number(redis['pid']), 'SIGKILL');
  const next = await eventually('an answer after the kill', 60_000, async () => await visit(PAGE).catch(() => undefined));
  t.is(next.visits, before.visits + 1);
  t.is((await eventually('the restart to be told', 60_000, async () => { const now = await redisTask(); return now['restarts'] === 1 && now; }))['id'], redis['id']);
  await cluster.ctl('restart', 'shop/redis');
  const replaced = await eventually('another redis', 60_000, async () => {
    const now = await redisTask().catch(() => undefined);
    return now !== undefined && now['id'] !== redis['id'] && now['health'] === 'healthy' && now;
  });
  t.is(replaced['node'], redis['node']);
  const last = await eventually('an answer after the replacement', 60_000, async () => await visit(PAGE).catch(() => undefined));
  t.is(last.visits, next.visits + 1);
});

test.serial('applied again it changes nothing; deleted it leaves nothing but its data', async t => {
  const before = (await cluster.tasks()).map(task => task['id']);
  t.regex(await cluster.ctl('apply', '-f', EXAMPLE, '--var', `SHOP_PORT=${String(PORT)}`, '--wait'), /app\/shop unchanged/);
  t.deepEqual((await cluster.tasks()).map(task => task['id']), before);
  await cluster.ctl('delete', '-f', EXAMPLE, '-y');
  t.deepEqual(await cluster.items('ps', '-a'), []);
  await t.notThrowsAsync(settleNodes(cluster));
});

async function redisTask(): Promise<Item> {
  const [redis] = (await cluster.tasks('shop/redis')).filter(task => task['desired'] === 'run');
  if (redis === undefined) {
    throw new Error('no redis');
  }
  return redis;
}
