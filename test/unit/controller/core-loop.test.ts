import test from 'ava';
import { TEST_TIMES } from '#model/times.ts';
import { createApply } from '../../../controller/api/apply-api.ts';
import { CoreLoop } from '../../../controller/core-loop.ts';
import { settle } from '../../support/fake-clock.ts';
import { appOf } from '../../support/manifest.ts';
import { MemoryReplica, OPERATOR, requestId } from '../../support/memory-replica.ts';
import { silentLogger } from '../../support/silent-logger.ts';

test('a controller that leads keeps as many earlier Revisions of an App as it is told, ten where it is not', async t => {
  for (const [option, kept] of [[{}, 11], [{ revisionHistoryLimit: 2 }, 3]] as const) {
    const replica = await MemoryReplica.start(t);
    const over = new AbortController();
    const core = new CoreLoop({
      store: replica.etcd.connect(), clock: replica.clock, logger: silentLogger, times: TEST_TIMES, clusterId: 'c', random: () => 0.5, ...option,
      record: { id: 'c1', apiAddress: 'c1', metricsAddress: '', startedAtMs: 0 },
    });
    const running = core.run(over.signal).catch((error: unknown) => error);
    for (let number = 1; number <= 15; number += 1) {
      const app = appOf({ apiVersion: 'gantry/v1', kind: 'App', metadata: { name: 'shop' }, services: { web: { image: 'nginx', environment: { N: String(number) } } } });
      await createApply(replica.parts)({ requestId: requestId(number), app, isDryRun: false }, OPERATOR);
    }
    for (let second = 0; second < 12; second += 1) {
      await replica.clock.advance(1_000);
      await settle();
    }
    t.not(core.leadership.leadership, undefined);
    t.is(replica.keys('revisions/').length, kept);
    over.abort(new Error('the test is over'));
    await running;
  }
});
