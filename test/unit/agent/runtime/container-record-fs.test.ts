import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ContainerRecords } from '../../../../agent/runtime/container-record-fs.ts';

const RECORD = { runtime: 'crun', bundlePath: '/b', logPath: '/l', terminal: false, stdin: false };

function makeRecords(t: ExecutionContext): { readonly directory: string; readonly records: ContainerRecords } {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-records-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  return { directory, records: new ContainerRecords(directory) };
}

for (const [name, what] of [['exits', 'exit codes'], ['records', 'records of containers']] as const) {
  for (const [how, code] of [['missing', 'ENOENT'], ['a file', 'ENOTDIR']] as const) {
    test(`E14: ${name} ${how}: no container is begun, in words; those there are can be looked at and removed; all goes on once it is back`, async t => {
      const { directory, records } = makeRecords(t);
      const place = `${directory}/${name}`;
      records.open('one', RECORD);
      t.is(records.problem(), undefined);
      renameSync(place, `${place}.away`);
      if (how === 'a file') writeFileSync(place, '');
      const problem = `${what} could not be kept: ${place} is not a directory that can be written (${code})`;
      t.is(records.problem(), problem);
      t.throws(() => { records.open('two', RECORD); }, { code: 'FAILED_PRECONDITION', message: problem });
      t.deepEqual(records.list(), name === 'exits' ? ['one'] : []);
      t.is(records.readEnd('one'), undefined);
      t.deepEqual(records.processes('one'), {});
      await t.notThrowsAsync(records.remove('two'));
      rmSync(place, { force: true });
      renameSync(`${place}.away`, place);
      records.open('two', RECORD);
      t.deepEqual(records.list(), ['one', 'two']);
      await records.remove('one');
      await records.remove('two');
      t.deepEqual([readdirSync(`${directory}/exits`), readdirSync(`${directory}/records`)], [[], []]);
    });
  }

  test(`E14: ${name} a file at the start of the agent: what is in the way is named`, t => {
    const directory = mkdtempSync(path.join(tmpdir(), 'gantry-records-'));
    t.teardown(() => { rmSync(directory, { recursive: true }); });
    mkdirSync(directory, { recursive: true });
    writeFileSync(`${directory}/${name}`, '');
    t.throws(() => new ContainerRecords(directory), { code: 'FAILED_PRECONDITION', message: `${directory}/${name} is no directory: remove what is in its place` });
  });
}
