import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { ClusterEvent } from '#model/event.ts';
import { parseNodeId, parseTaskId } from '#model/ids.ts';
import type { AgentNews } from '#model/session.ts';
import type { UsageSample } from '#model/usage.ts';
import { NewsLoop } from '../../../agent/news-loop.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

const EVENT: ClusterEvent = { type: 'normal', object: 'task/abcdefghijkl', reason: 'Started', message: 'm', firstAtMs: 1, lastAtMs: 1, count: 1 };
const SAMPLE: UsageSample = {
  node: parseNodeId('n1'), task: parseTaskId('abcdefghijkl'), atMs: 1, cpuMicroseconds: 2, memoryBytes: 3, memoryLimitBytes: 0, processes: 4,
  networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0,
};
const TURN_MS = 500;

class Rig {
  readonly sent: Omit<AgentNews, 'kind'>[] = [];
  hasController = true;
  readonly #clock = new FakeClock();
  readonly loop = new NewsLoop({ clock: this.#clock, send: news => this.#send(news) });

  constructor(t: ExecutionContext) {
    const ending = new AbortController();
    const running = this.loop.run(ending.signal);
    t.teardown(async () => { ending.abort(); await running; });
  }

  async turn(): Promise<void> {
    await this.#clock.advance(TURN_MS);
    await settle();
  }

  #send(news: Omit<AgentNews, 'kind'>): boolean {
    if (this.hasController) this.sent.push(news);
    return this.hasController;
  }
}

test('one message has the newest sample of each task and all events since the last one; without news there is none', async t => {
  const rig = new Rig(t);
  const { loop, sent } = rig;
  loop.publishUsage(SAMPLE);
  loop.publishUsage({ ...SAMPLE, atMs: 2 });
  loop.publishEvent(EVENT);
  loop.publishEvent({ ...EVENT, reason: 'Healthy' });
  await rig.turn();
  await rig.turn();
  t.deepEqual(sent, [{ usage: [{ ...SAMPLE, atMs: 2 }], events: [EVENT, { ...EVENT, reason: 'Healthy' }] }]);
  t.is(loop.droppedCount, 0);
});

test('what finds no controller is dropped and counted, and what comes after a reconnection is sent', async t => {
  const rig = new Rig(t);
  rig.hasController = false;
  rig.loop.publishUsage(SAMPLE);
  rig.loop.publishEvent(EVENT);
  await rig.turn();
  t.is(rig.loop.droppedCount, 2);
  rig.hasController = true;
  rig.loop.publishEvent(EVENT);
  await rig.turn();
  t.deepEqual(rig.sent, [{ usage: [], events: [EVENT] }]);
});

test('a burst of events is bounded in count and in the length of a message', async t => {
  const rig = new Rig(t);
  const { loop, sent } = rig;
  for (let count = 0; count < 150; count += 1) {
    loop.publishEvent({ ...EVENT, message: 'x'.repeat(100_000) });
  }
  await rig.turn();
  t.is(sent[0]?.events.length, 100);
  t.true(JSON.stringify(sent).length < 100 * 2_300);
  t.is(loop.droppedCount, 50);
});
