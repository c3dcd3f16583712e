import test from 'ava';
import { createViewApi } from '../../../../controller/api/view-api.ts';
import { SessionTable } from '../../../../controller/api/session-table.ts';
import { ClusterWatch } from '../../../../controller/store/watch-loop.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { MemoryEtcd } from '../../../support/memory-store.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

test('a reader that goes while a view is on its way to it is no unhandled failure', async t => {
  const clock = new FakeClock();
  const store = new MemoryEtcd(clock).connect();
  const state = new ClusterWatch({ store, clock, logger: silentLogger, relistMs: 5_000, random: () => 0.5 });
  const reader = new AbortController();
  const api = createViewApi({ store, state, clock, sessions: new SessionTable(), version: '0', clusterId: 'c', signal: new AbortController().signal });
  const views = api.watch({}, { role: 'operator', name: 'ann', address: '127.0.0.1' }, reader.signal)[Symbol.asyncIterator]();
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => { unhandled.push(reason); };
  process.on('unhandledRejection', onUnhandled);
  try {
    t.false((await views.next()).done);
    reader.abort(new Error('the caller is gone'));
    await settle();
    await new Promise(resolve => { setImmediate(resolve); });
    t.deepEqual(unhandled, []);
  } finally {
    process.off('unhandledRejection', onUnhandled);
  }
});
