import test from 'ava';
import { appId, isLabel, parseAppId, parseNodeId, parseServiceId, parseTaskId, serviceId, splitServiceId, TASK_ID_BYTES, taskIdFromBytes, taskName } from '#model/ids.ts';

const LONGEST = 'a'.repeat(63);

test('labels are RFC 1123: lower case, digits, inner hyphens, at most 63', t => {
  t.deepEqual(['a', '0', 'a-b', 'a--b', '1a', LONGEST].filter(text => !isLabel(text)), []);
  t.deepEqual(['', '-a', 'a-', 'A', 'a.b', 'a_b', 'ä', 'a ', 'a\n', `${LONGEST}a`].filter(isLabel), []);
});

test('what is no id is refused with its text', t => {
  t.throws(() => parseNodeId('N1'), { instanceOf: RangeError, message: /"N1"/ });
  t.throws(() => parseTaskId('0bcdefghijkl'), { instanceOf: RangeError });
  t.throws(() => parseTaskId('abcdefghijk'), { instanceOf: RangeError });
  t.throws(() => parseAppId('a/b/c'), { instanceOf: RangeError });
  t.throws(() => parseServiceId('a/b'), { instanceOf: RangeError });
  t.throws(() => parseServiceId('a//c'), { instanceOf: RangeError });
});

test('every byte gives a task id that is one', t => {
  for (let value = 0; value < 256; value += 1) {
    const id = taskIdFromBytes(new Uint8Array(TASK_ID_BYTES).fill(value));
    t.is(parseTaskId(id), id);
  }
});

test('ids that are joined come apart again', t => {
  t.is(parseAppId(appId('prod', 'shop')), appId('prod', 'shop'));
  t.deepEqual(splitServiceId(serviceId('prod', 'shop', 'web')), { namespace: 'prod', app: 'shop', service: 'web' });
});

test('names of tasks are labels, however long the service and however high the slot', t => {
  const id = parseTaskId('abcdefghijkl');
  t.is(taskName('web', 3, id, false), 'web-3-abcde');
  t.is(taskName('db', 0, id, true), 'db-0');
  t.true(isLabel(taskName(LONGEST, 99_999, id, false)));
});
