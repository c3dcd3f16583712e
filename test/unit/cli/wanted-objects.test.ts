import test from 'ava';
import { parseWantedObjects } from '../../../cli/wanted-objects.ts';

const wants = test.macro({
  exec: (t, words: readonly string[], expected: readonly object[]) => { t.deepEqual(parseWantedObjects(words[0] ?? '', words.slice(1)) as readonly object[], expected); },
  title: (_, words: readonly string[]) => `get ${words.join(' ')}`,
});
test(wants, ['svc'], [{ type: 'service', names: [] }]);
test(wants, ['svc', 'shop/web', 'db'], [{ type: 'service', names: ['shop/web', 'db'] }]);
test(wants, ['svc,tasks'], [{ type: 'service', names: [] }, { type: 'task', names: [] }]);
test(wants, ['svc,services,no', 'x'], [{ type: 'service', names: ['x'] }, { type: 'node', names: ['x'] }]);
test(wants, ['svc/shop/web', 'task/k3f9', 'svc/db'], [{ type: 'service', names: ['shop/web', 'db'] }, { type: 'task', names: ['k3f9'] }]);
test(wants, ['node/n1', 'n2'], [{ type: 'node', names: ['n1', 'n2'] }]);

test(wants, ['jobs'], [{ type: 'service', names: [], kind: 'job' }]);
test(wants, ['jobs,crons,svc', 'x'], [{ type: 'service', names: ['x'], kind: 'job' }, { type: 'service', names: ['x'], kind: 'cron' }, { type: 'service', names: ['x'] }]);

test('an unknown type is refused, in a list too', t => {
  t.throws(() => parseWantedObjects('svc,taks', []), { message: "unknown type 'taks'; did you mean 'task'?" });
  t.throws(() => parseWantedObjects('svc,', []), { code: 'INVALID_ARGUMENT' });
});
