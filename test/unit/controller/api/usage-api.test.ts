import test from 'ava';
import { createUsageApi } from '../../../../controller/api/usage-api.ts';

const OPERATOR = { role: 'operator', name: 'ann', address: '127.0.0.1' } as const;

test('operators are told what was heard; without NATS nothing was', async t => {
  const heard = { isNatsConnected: true, tasks: [] };
  t.is(await createUsageApi({ usage: { now: () => heard } }).usage(OPERATOR), heard);
  t.deepEqual(await createUsageApi({ usage: undefined }).usage(OPERATOR), { isNatsConnected: false, tasks: [] });
});

test('nobody else is told', t => {
  for (const role of ['node', 'controller', 'monitor'] as const) {
    t.throws(() => createUsageApi({ usage: undefined }).usage({ ...OPERATOR, role }), { message: /may not call this/ });
  }
});
