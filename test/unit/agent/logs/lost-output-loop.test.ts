import test from 'ava';
import { LostOutputLoop } from '../../../../agent/logs/lost-output-loop.ts';
import type { FullLog } from '../../../../agent/logs/lost-output.ts';
import { newRecord } from '../../../../agent/task/record.ts';
import { service, task, taskId } from '../../../support/builders.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

const RECORD = {
  ...newRecord(task(service(), 'n1', { id: taskId('web') }), 1, 'boot'), step: 'running' as const,
  container: { container: { pid: 10, startTicks: 1 }, monitor: { pid: 11, startTicks: 1 } },
};

test('F3: lost output is told once while the disk is full, taken back when it has room, and told anew when it is full again', async t => {
  const clock = new FakeClock();
  const told: string[] = [];
  const looks: (FullLog | undefined)[] = [];
  let reads = 0;
  const see = async (id: string, logPath: string, pid: number): Promise<FullLog | undefined> => {
    t.deepEqual([id, logPath, pid], [`gantry-${RECORD.task.id}-1`, '/logs/1.log', 11]);
    reads += 1;
    return await Promise.resolve(looks.shift());
  };
  const stop = new AbortController();
  const loop = new LostOutputLoop({ records: () => [RECORD], paths: { logPath: (_task, log) => `/logs/${String(log.attempt)}.log` }, see, onLost: (task, attempt, message) => { told.push(`${task} ${String(attempt)} ${message}`); }, clock, log: silentLogger }).run(stop.signal);
  const look = async (seen: FullLog | undefined): Promise<number> => {
    looks.push(seen);
    await clock.advance(5_000);
    return told.length;
  };
  t.is(await look(undefined), 0);
  t.is(await look({ readBytes: 1_000, logBytes: 900 }), 0, 'what was lost before the first look is not known');
  t.is(await look({ readBytes: 1_000, logBytes: 900 }), 0, 'it wrote nothing');
  t.is(await look({ readBytes: 1_300, logBytes: 900 }), 1);
  t.is(await look({ readBytes: 9_000, logBytes: 900 }), 1, 'told already');
  t.is(await look(undefined), 2);
  t.is(await look({ readBytes: 9_000, logBytes: 9_900 }), 2);
  t.is(await look({ readBytes: 9_010, logBytes: 9_900 }), 3);
  t.is(reads, 8);
  t.deepEqual(told.slice(0, 2), [`${RECORD.task.id} 1 the disk of /logs is full: 300 bytes of output and what follows are in no log until it has room again; the container goes on`, `${RECORD.task.id} 1 `]);
  stop.abort();
  await clock.advance(5_000);
  await loop;
});

test('bytes that the log writer dropped are reported at the first look, and taken back', async t => {
  const clock = new FakeClock();
  const told: string[] = [];
  const looks: (FullLog | undefined)[] = [{ droppedBytes: 120 }, { droppedBytes: 500 }, undefined];
  const stop = new AbortController();
  const loop = new LostOutputLoop({
    records: () => [RECORD], paths: { logPath: () => '/logs/1.log' }, see: () => Promise.resolve(looks.shift()),
    onLost: (_task, _attempt, message) => { told.push(message); }, clock, log: silentLogger,
  }).run(stop.signal);
  for (let look = 0; look < 4; look += 1) await clock.advance(5_000);
  t.is(told.length, 2);
  t.regex(told[0] ?? '', / 120 bytes of output /);
  t.is(told[1], '');
  stop.abort();
  await clock.advance(5_000);
  await loop;
});
