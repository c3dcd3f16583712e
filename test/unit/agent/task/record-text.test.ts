import test from 'ava';
import { formatRecord, parseRecord } from '../../../../agent/task/record-text.ts';
import { newRecord } from '../../../../agent/task/record.ts';
import { service, task } from '../../../support/builders.ts';

const RECORD = newRecord(task(service(), 'n1'), 3, 'boot');
const ID = RECORD.task.id;

test('a record comes back as it was written', t => {
  t.deepEqual(parseRecord(formatRecord(RECORD, {}), ID), { record: RECORD, unknown: {} });
});

test('fields of a newer agent survive', t => {
  const read = parseRecord(formatRecord(RECORD, { checkpoint: { id: 1 } }), ID);
  t.deepEqual(read?.unknown, { checkpoint: { id: 1 } });
  t.true(formatRecord(RECORD, read?.unknown ?? {}).includes('"checkpoint":{"id":1}'));
});

test('a record cut anywhere is no record', t => {
  const text = formatRecord(RECORD, {}).trimEnd();
  for (let length = 0; length < text.length; length += 7) {
    t.is(parseRecord(text.slice(0, length), ID), undefined);
  }
});

test('the record of another task is no record', t => {
  t.is(parseRecord(formatRecord(RECORD, {}), 'zzzzzzzzzzzz'), undefined);
});

test('a step that does not exist is no record', t => {
  t.is(parseRecord(formatRecord(RECORD, {}).replace('"idle"', '"flying"'), ID), undefined);
});

test('a newer form is refused with both numbers', t => {
  t.throws(() => parseRecord(formatRecord(RECORD, {}).replace('"version":1', '"version":3'), ID), { message: /form 3; this agent knows 2/ });
});
