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
  // What is decided after a gap counts again once the picture is whole.
  const lines = (await readFile(path.join(recordDir, 'c2'), 'utf8')).split('\n');
  const middle = Math.floor(lines.length / 2);
  await writeFile(path.join(recordDir, 'c2'), [...lines.slice(0, middle), formatRecordLine({ kind: 'gap', lines: 100 }).trimEnd(), ...lines.slice(middle + 100)].join('\n'));
  const { differences, leftOut, decisions } = await replayFile(path.join(recordDir, 'c2'));
  t.deepEqual(differences, []);
  t.true(leftOut >= 100 && decisions.size > 0);
});
