import test from 'ava';
import type { ExecutionContext } from 'ava';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/dev-cluster.ts';
import { lockApp, webApp } from '../support/fault-apps.ts';
import { FaultBench } from '../support/fault-bench.ts';
import { containerPictures } from '../support/container-pictures.ts';
import { LockServer } from '../support/lock-server.ts';
import { Nemesis } from '../support/nemesis.ts';
import { RequestLoad } from '../support/request-load.ts';
import { seed } from '../support/seed.ts';
import { Random } from '../sim/random.ts';

const PORT = 18_236;
const CHAOS_MS = 45_000;
const FAULTS = ['kill', 'freeze', 'cut'];

test.serial(`J5: random faults under load, seed ${String(seed)}: nothing that must hold is violated, and all is well after (root)`, async t => {
  const bench = await FaultBench.up();
  const locks = await LockServer.listen(bench.cluster.layout.hostAddress);
  const random = new Random(seed);
  const nemesis = new Nemesis(bench, () => random.next(), PORT);
  try {
    t.log(`again with: SEED=${String(seed)}`);
    await bench.cluster.apply(webApp({ port: PORT, replicas: 3 }), '--wait');
    await bench.cluster.apply(lockApp({ address: bench.cluster.layout.hostAddress, port: locks.port }, 2), '--wait');
    await bench.settled();
    await eventually('a beat of each', 60_000, () => locks.beats.size === 2);
    const before = containerPictures(bench.cluster.layout);
    const held = await bench.live('default/locks/db');
    await using load = new RequestLoad(`http://127.0.0.1:${String(PORT)}/`, 10);
    await nemesis.run(CHAOS_MS);
    // `run` fails where a fault could not be made.
    t.deepEqual(FAULTS.filter(fault => !nemesis.story.some(line => line.includes(`: ${fault} `))), [], 'faults that never came');
    const { sent, failures } = await load.stop();
    t.log(`${String(sent)} requests, ${String(failures.length)} failed while nodes were cut off`);
    await bench.heard();
    await bench.settled();
    await answers(t);
    const after = containerPictures(bench.cluster.layout);
    t.deepEqual([...before].filter(([name, picture]) => after.has(name) && after.get(name)?.pid !== picture.pid), [], 'I6: an attempt has another process now');
    t.deepEqual((await bench.live('default/locks/db')).map(task => task.id), held.map(task => task.id), 'what is held was replaced');
    t.true([...before].filter(([, picture]) => held.some(task => task.id === picture.task)).every(([name]) => after.has(name)), 'I6: what is held was restarted');
    const beats = [...locks.beats];
    t.is(beats.length, 2, 'what is held has one holder each');
    await eventually('each to beat again', 60_000, () => beats.every(([holder, count]) => (locks.beats.get(holder) ?? 0) > count));
    t.deepEqual(locks.violations, []);
    t.deepEqual(await bench.violations(), []);
  } catch (error) {
    t.log(nemesis.story.join('\n'));
    throw error;
  } finally {
    await locks.close();
    t.deepEqual(await bench.close(), []);
  }
});

/**
 * After the last fault every request is answered. They come from another address than those before: of these, some were left half open, and for
 * two minutes the kernel sends a connection from the same port to where that one went. Source: nf_conntrack-sysctl.rst, nf_conntrack_tcp_timeout_syn_sent
 */
async function answers(t: ExecutionContext): Promise<void> {
  await using load = new RequestLoad(`http://127.0.0.1:${String(PORT)}/`, 20, 0, '127.0.0.2');
  await sleep(1_000);
  t.deepEqual((await load.stop()).failures, []);
}
