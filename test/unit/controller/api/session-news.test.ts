import test from 'ava';
import type { ClusterEvent } from '#model/event.ts';
import { parseNodeId } from '#model/ids.ts';
import type { UsageSample } from '#model/usage.ts';
import { SessionNews } from '../../../../controller/api/session-news.ts';
import { service, snapshot, task, taskId } from '../../../support/builders.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

const WEB = service();
const OWN = taskId('a');
const FOREIGN = taskId('b');
const EVENT: ClusterEvent = { type: 'normal', object: `task/${OWN}`, reason: 'Started', message: 'm', firstAtMs: 1, lastAtMs: 1, count: 1 };
const SAMPLE: UsageSample = {
  node: parseNodeId('n1'), task: OWN, atMs: 1, cpuMicroseconds: 2, memoryBytes: 3, memoryLimitBytes: 0, processes: 4,
  networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0,
};

/** News of a session of n1, in a cluster where it has one task and n2 another. */
class Rig {
  readonly clock = new FakeClock();
  readonly usage: UsageSample[] = [];
  readonly events: ClusterEvent[] = [];
  readonly news = new SessionNews(parseNodeId('n1'), {
    news: { publishUsage: sample => { this.usage.push(sample); }, publishEvent: event => { this.events.push(event); } },
    state: { current: snapshot({ services: [WEB], tasks: [task(WEB, 'n1', { id: OWN }), task(WEB, 'n2', { id: FOREIGN })] }) },
    clock: this.clock, log: silentLogger,
  });

  take(usage: readonly UsageSample[], events: readonly ClusterEvent[] = []): void {
    this.news.take({ kind: 'news', usage, events });
  }
}

test('usage is published of the tasks of the session\'s node alone, whatever node the samples name', t => {
  const rig = new Rig();
  rig.take([
    SAMPLE, { ...SAMPLE, node: parseNodeId('n2') }, { ...SAMPLE, task: FOREIGN }, { ...SAMPLE, node: parseNodeId('n2'), task: FOREIGN },
    { ...SAMPLE, task: taskId('c') },
  ]);
  t.deepEqual(rig.usage, [SAMPLE]);
});

test('events are published of the session\'s node and its tasks alone', t => {
  const rig = new Rig();
  const ofNode = { ...EVENT, object: 'node/n1' };
  const foreign = [`task/${FOREIGN}`, 'task/', 'node/n2', 'node/n1/x', 'service/default/shop/web', 'app/default/shop', '', 'task', '__proto__/x'];
  rig.take([], [EVENT, ofNode, ...foreign.map(object => ({ ...EVENT, object }))]);
  t.deepEqual(rig.events, [EVENT, ofNode]);
});

test('texts of an event are cut', t => {
  const rig = new Rig();
  const messages = [{ message: 'x'.repeat(10_000), firstAtMs: 1, lastAtMs: 1, count: 1 }];
  rig.take([], [{ ...EVENT, reason: 'r'.repeat(10_000), message: 'm'.repeat(10_000), messages }]);
  t.deepEqual(rig.events.map(({ reason, message }) => [reason.length, message.length]), [[128, 2_048]]);
  t.true(JSON.stringify(rig.events).length < 3_000);
});

test('a node publishes 512 KiB at once and 128 KiB a second, foreign samples counted; the rest is dropped', async t => {
  const rig = new Rig();
  rig.take(Array.from({ length: 1_000 }, () => ({ ...SAMPLE, task: FOREIGN })));
  rig.take(Array.from({ length: 5_000 }, () => SAMPLE));
  t.is(rig.usage.length, 1_048);
  rig.take([SAMPLE], [EVENT]);
  t.is(rig.usage.length + rig.events.length, 1_048);
  await rig.clock.advance(1_000);
  rig.take(Array.from({ length: 5_000 }, () => SAMPLE));
  t.is(rig.usage.length, 1_048 + 512);
});

test('a sample of every one of 500 tasks in each two seconds is far from the bound', async t => {
  const rig = new Rig();
  for (let round = 0; round < 100; round += 1) {
    await rig.clock.advance(2_000);
    rig.take(Array.from({ length: 500 }, () => SAMPLE));
  }
  t.is(rig.usage.length, 50_000);
});

test('one event with a message beyond the whole budget is dropped, and what follows later is published', t => {
  const rig = new Rig();
  rig.take([], [{ ...EVENT, message: 'm'.repeat(600_000) }]);
  rig.take([SAMPLE], [EVENT]);
  t.deepEqual([rig.usage.length, rig.events.length], [1, 1]);
});
