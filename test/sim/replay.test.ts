import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { formatRecordLine } from '../../controller/decision-record.ts';
import { simulateCluster } from './cluster-sim.ts';
import { replayFile } from './replay.ts';
import { scheduleOf } from './sim-schedule.ts';

test('what controllers recorded through faults comes out the same again; a decision that was another does not', async t => {
  const recordDir = await mkdtemp(path.join(tmpdir(), 'gantry-record-'));
  t.teardown(async () => { await rm(recordDir, { recursive: true }); });
  await simulateCluster(scheduleOf(17), { recordDir });
  const reports = await Promise.all(['c1', 'c2', 'c3'].map(async name => await replayFile(path.join(recordDir, name))));
  t.deepEqual(reports.flatMap(({ differences }) => differences), []);
  t.true(reports.reduce((sum, { actions }) => sum + actions, 0) > 50);
  t.true(reports.reduce((sum, { decisions }) => sum + (decisions.get('service') ?? 0), 0) > 200);
  await appendFile(path.join(recordDir, 'c1'), `{"kind":"ba\n${formatRecordLine({ kind: 'app', id: 'default/shop' as never, nowMs: 0, decided: { sha256: 'another', text: '' } })}`);
  const tampered = await replayFile(path.join(recordDir, 'c1'));
  t.is(tampered.differences.length, 1);
  t.is(tampered.cut, 1);
});

test('what is decided after a gap counts again once the picture is whole', async t => {
  const recordDir = await mkdtemp(path.join(tmpdir(), 'gantry-record-'));
  t.teardown(async () => { await rm(recordDir, { recursive: true }); });
  await simulateCluster(scheduleOf(17), { recordDir });
  const reports = await Promise.all(['c1', 'c2', 'c3'].map(async name => {
    const file = path.join(recordDir, name);
    const whole = await readFile(file, 'utf8');
    // Up to the second time that all of etcd is read.
    const start = whole.indexOf('\n{"kind":"batch"');
    const end = whole.indexOf('\n{"kind":"begin-list"', start);
    t.true(start > 0 && end > start, name);
    const lines = whole.slice(start, end).split('\n').length - 1;
    await writeFile(file, `${whole.slice(0, start)}\n${formatRecordLine({ kind: 'gap', lines }).trimEnd()}${whole.slice(end)}`);
    const report = await replayFile(file);
    t.true(report.leftOut >= lines);
    return report;
  }));
  t.deepEqual(reports.flatMap(({ differences }) => differences), []);
  t.true(reports.some(({ decisions }) => (decisions.get('service') ?? 0) > 100));
});
