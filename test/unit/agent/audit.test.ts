import test from 'ava';
import { claimedNames, isStray } from '../../../agent/audit.ts';
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
