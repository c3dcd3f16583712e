import test from 'ava';
import { claimedNames, isStray, runningContainers } from '../../../agent/audit.ts';
import { newRecord } from '../../../agent/task/record.ts';
import { service, task, taskId } from '../../support/builders.ts';

const RECORD = { ...newRecord(task(service(), 'n1', { id: taskId('web') }), 2, 'boot'), step: 'running' as const };
const CLAIMED = claimedNames([RECORD]);

test('the newest attempt and the one to come are claimed, earlier ones are not', t => {
  t.false(isStray('gantry-webaaaaaaaaa-2', CLAIMED));
  t.false(isStray('gantry-webaaaaaaaaa-3', CLAIMED));
  t.true(isStray('gantry-webaaaaaaaaa-1', CLAIMED));
});

test('a finished task claims nothing', t => {
  t.true(isStray('gantry-webaaaaaaaaa-2', claimedNames([{ ...RECORD, step: 'finished' }])));
});

test('foreign names are nobody\'s business', t => {
  t.false(isStray('docker-abc', CLAIMED));
});

test('containers that run are those of the steps `running`, companions among them', t => {
  const processes = (pid: number) => ({ container: { pid, startTicks: 1 }, monitor: { pid: pid + 1, startTicks: 1 } });
  const companion = { run: 3, recent: [], notBeforeMs: 0, isDone: false };
  const record = { ...RECORD, container: processes(10), companions: [{ ...companion, step: 'running' as const, container: processes(20) }, { ...companion, step: 'ended' as const, container: processes(30) }] };
  t.deepEqual(runningContainers([record, { ...record, step: 'ended', companions: [] }]), [
    { task: taskId('web'), id: 'gantry-webaaaaaaaaa-2', log: { attempt: 2 }, process: { pid: 10, startTicks: 1 }, monitor: { pid: 11, startTicks: 1 } },
    { task: taskId('web'), id: 'gantry-webaaaaaaaaa-2-c0-3', log: { attempt: 2, companion: { index: 0, run: 3 } }, process: { pid: 20, startTicks: 1 }, monitor: { pid: 21, startTicks: 1 } },
  ]);
});
