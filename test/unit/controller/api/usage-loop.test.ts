import test from 'ava';
import type { UsageSample } from '#model/usage.ts';
import { RecentItems } from '#news/recent-items.ts';
import { UsageLoop } from '../../../../controller/api/usage-loop.ts';
import { parseNodeId } from '#model/ids.ts';
import { service, snapshot, task, taskId } from '../../../support/builders.ts';
import { FakeClock, settle, T0 } from '../../../support/fake-clock.ts';

const WEB = service();
const A = taskId('a');

function sample(change: Partial<UsageSample> = {}): UsageSample {
  return { node: parseNodeId('n1'), task: A, atMs: T0, cpuMicroseconds: 0, memoryBytes: 5, memoryLimitBytes: 10, processes: 1, networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0, ...change };
}

test('only what a node says of a task of its own is kept, and only while the task is there', async t => {
  const items = new RecentItems<UsageSample>(10);
  const asked: unknown[] = [];
  const news = { isConnected: true, usage: (node: unknown, signal: AbortSignal) => { asked.push(node); return items.read(signal); } };
  const state = { current: snapshot({ services: [WEB], tasks: [task(WEB, 'n1', { id: A })] }) };
  const loop = new UsageLoop({ news, state, clock: new FakeClock() });
  const ending = new AbortController();
  const running = loop.run(ending.signal);
  items.push(sample());
  items.push(sample({ node: parseNodeId('n2'), memoryBytes: 99 }));
  items.push(sample({ task: taskId('b') }));
  await settle();
  t.deepEqual(asked, [undefined]);
  t.deepEqual(loop.now(), { isNatsConnected: true, tasks: [{ sample: sample() }] });
  news.isConnected = false;
  state.current = snapshot();
  t.deepEqual(loop.now(), { isNatsConnected: false, tasks: [] });
  ending.abort();
  await running;
});
