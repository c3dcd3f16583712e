import test from 'ava';
import { readSamples } from '../../../agent/usage-flow.ts';
import { newRecord } from '../../../agent/task/record.ts';
import { service, T0, task } from '../../support/builders.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const one = task(service(), 'n1');
const usage = { cpuMicroseconds: 5, memoryBytes: 4_096, memoryLimitBytes: 0, processes: 1, oomKills: 0, ioReadBytes: 0, ioWriteBytes: 0 };
const sources = {
  node: one.node, clock: new FakeClock(), taskLinkPrefix: 'gt', linkCounters: () => new Map(),
  cgroups: { usage: () => Promise.resolve(usage) }, snapshots: { writableBytes: (id: string) => Promise.resolve(id.endsWith('-c0-1') ? 100 : 8_192) },
};
const running = { ...newRecord(one, 1, 'boot'), step: 'running' as const, companions: [{ step: 'running' as const, run: 1, recent: [], notBeforeMs: 0, isDone: false }] };

test('what a task wrote is that of all its containers, and is counted only when asked for', async t => {
  t.like(await readSamples([running], sources, true), [{ task: one.id, atMs: T0, cpuMicroseconds: 10, writableBytes: 8_292 }]);
  t.is((await readSamples([running], sources, false))[0]?.writableBytes, undefined);
});
