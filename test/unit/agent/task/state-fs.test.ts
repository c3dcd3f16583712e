import { mkdtemp, readFile, rm, writeFile, appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { newRecord } from '../../../../agent/task/record.ts';
import { TaskStateFs } from '../../../../agent/task/state-fs.ts';
import { service, task, taskId } from '../../../support/builders.ts';

const RECORD = newRecord(task(service(), 'n1', { id: taskId('web') }), 1, 'boot');
const ID = RECORD.task.id;

async function directory(t: ExecutionContext): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), 'gantry-state-'));
  t.teardown(async () => { await rm(made, { recursive: true }); });
  return made;
}

test('a saved record is there for the next process', async t => {
  const dir = await directory(t);
  await new TaskStateFs(dir).save(RECORD);
  t.deepEqual(await new TaskStateFs(dir).load(), { records: [RECORD], corrupt: [] });
});

test('fields of a newer agent survive a save', async t => {
  const dir = await directory(t);
  await new TaskStateFs(dir).save(RECORD);
  const file = path.join(dir, 'tasks', ID, 'record.json');
  await writeFile(file, (await readFile(file, 'utf8')).replace('{', '{"checkpoint":7,'));
  const state = new TaskStateFs(dir);
  const { records } = await state.load();
  await state.save({ ...RECORD, ...records[0], attempt: 2 });
  t.true((await readFile(file, 'utf8')).includes('"checkpoint":7'));
});

test('a record that is not readable is put aside and named, also after another start', async t => {
  const dir = await directory(t);
  await new TaskStateFs(dir).save(RECORD);
  await writeFile(path.join(dir, 'tasks', ID, 'record.json'), '{"version":1,');
  t.deepEqual(await new TaskStateFs(dir).load(), { records: [], corrupt: [ID] });
  t.deepEqual(await new TaskStateFs(dir).load(), { records: [], corrupt: [ID] });
  t.is(await readFile(path.join(dir, 'tasks', ID, 'record.json.corrupt'), 'utf8'), '{"version":1,');
});

test('a forgotten task leaves nothing', async t => {
  const state = new TaskStateFs(await directory(t));
  await state.forget(ID);
  await state.save(RECORD);
  await state.forget(ID);
  await state.forget(ID);
  t.deepEqual(await state.load(), { records: [], corrupt: [] });
});

test('the journal knows the highest attempt, past a line that a crash cut', async t => {
  const dir = await directory(t);
  await new TaskStateFs(dir).appendStart({ task: ID, attempt: 1 });
  await appendFile(path.join(dir, 'starts'), `${ID} 9`.slice(0, 8));
  const state = new TaskStateFs(dir);
  await Promise.all([state.appendStart({ task: ID, attempt: 2, companion: { index: 0, run: 3 } }), state.appendStart({ task: taskId('b'), attempt: 1 })]);
  t.deepEqual(await state.lastStarts(), new Map([[ID, 2], [taskId('b'), 1]]));
});

test('logs of old attempts go', async t => {
  const state = new TaskStateFs(await directory(t));
  await state.save(RECORD);
  for (const attempt of [1, 2, 10]) {
    await writeFile(state.logPath(ID, { attempt }), 'x');
  }
  await state.dropLogs(ID, log => log.attempt < 2);
  await t.throwsAsync(readFile(state.logPath(ID, { attempt: 1 })));
  t.is(await readFile(state.logPath(ID, { attempt: 10 }), 'utf8'), 'x');
});
