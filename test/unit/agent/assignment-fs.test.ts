import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { AssignmentFs } from '../../../agent/assignment-fs.ts';
import type { DesiredSet } from '../../../agent/assignment.ts';
import { service, task } from '../../support/builders.ts';

const WEB = task(service(), 'n1');

function set(generation: number): DesiredSet {
  return { epoch: 3, generation, tasks: new Map([[WEB.id, WEB]]), volumeRemovals: [], contents: new Map() };
}

function makeState(t: ExecutionContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-assignment-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  return directory;
}

test('the newest save is what the next process loads', async t => {
  const state = makeState(t);
  const disk = new AssignmentFs(state);
  t.is(await disk.load(), undefined);
  for (const generation of [7, 8, 9]) await disk.save(set(generation));
  const loaded = await new AssignmentFs(state).load();
  t.deepEqual([loaded?.epoch, loaded?.generation, [...loaded?.tasks.keys() ?? []]], [3, 9, [WEB.id]]);
});

test('E9: the file of version 0.1 is read, and goes with the first save', async t => {
  const state = makeState(t);
  const old = path.join(state, 'assignment', 'assignment.json');
  mkdirSync(path.dirname(old));
  writeFileSync(old, JSON.stringify({ epoch: 3, generation: 7, tasks: [WEB] }));
  const disk = new AssignmentFs(state);
  t.is((await disk.load())?.generation, 7);
  await disk.save(set(8));
  t.false(existsSync(old));
  t.is((await new AssignmentFs(state).load())?.generation, 8);
});

test('half of an old file is no assignment', async t => {
  const state = makeState(t);
  mkdirSync(path.join(state, 'assignment'));
  writeFileSync(path.join(state, 'assignment', 'assignment.json'), '{"epoch":3,"gen');
  t.is(await new AssignmentFs(state).load(), undefined);
});

test('a directory that somebody took away is made again', async t => {
  const state = makeState(t);
  const disk = new AssignmentFs(state);
  await disk.save(set(7));
  rmSync(path.join(state, 'assignment'), { recursive: true });
  await t.throwsAsync(disk.save(set(8)), { code: 'ENOENT' });
  await disk.save(set(8));
  t.is((await new AssignmentFs(state).load())?.generation, 8);
});
