import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { containerEnds } from '../../../../agent/runtime/container-ends-flow.ts';
import type { ContainerEnd } from '../../../../agent/runtime/ports.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const END: ContainerEnd = { code: 0, isOomKilled: false, finishedAtMs: 0 };

test("an end is told once, by conmon's file and without a look at all others; one of the same name that follows is told too", async t => {
  const exitDir = mkdtempSync(path.join(tmpdir(), 'gantry-ends-'));
  t.teardown(() => { rmSync(exitDir, { recursive: true }); });
  const over = new AbortController();
  let lists = 0;
  const there = new Map<string, ContainerEnd>();
  const ends = containerEnds({
    exitDir, clock: new FakeClock(),
    list: () => { lists += 1; return [...there.keys()]; },
    endOf: id => Promise.resolve(there.get(id)),
  }, over.signal);
  const next = async (): Promise<string | undefined> => {
    const found = await ends.next();
    return found.done === true ? undefined : found.value.id;
  };
  const end = (id: string): void => { there.set(id, END); writeFileSync(path.join(exitDir, id), '0'); };
  const first = next();
  await new Promise(resolve => { setImmediate(resolve); });
  t.is(lists, 1);
  end('one');
  t.is(await first, 'one');
  const second = next();
  there.delete('one');
  rmSync(path.join(exitDir, 'one'));
  end('two');
  t.is(await second, 'two');
  const third = next();
  end('one');
  t.is(await third, 'one');
  t.is(lists, 1);
  over.abort();
});

test('what cannot be looked at ends nothing: the others are told, and it is at a later look', async t => {
  const exitDir = mkdtempSync(path.join(tmpdir(), 'gantry-ends-'));
  t.teardown(() => { rmSync(exitDir, { recursive: true }); });
  const over = new AbortController();
  const clock = new FakeClock();
  const broken = new Set(['list', 'hung']);
  const ends = containerEnds({
    exitDir, clock,
    list: () => { if (broken.has('list')) throw new Error('EACCES'); return ['hung', 'well']; },
    endOf: id => broken.has(id) ? Promise.reject(new Error('processes 7 outlive SIGKILL')) : Promise.resolve(END),
  }, over.signal);
  const told: string[] = [];
  const telling = (async () => { for await (const { id } of ends) told.push(id); })();
  await clock.advance(3_000);
  t.deepEqual(told, []);
  broken.delete('list');
  await clock.advance(3_000);
  t.deepEqual(told, ['well']);
  broken.delete('hung');
  await clock.advance(3_000);
  t.deepEqual(told, ['well', 'hung']);
  over.abort();
  await telling;
});
