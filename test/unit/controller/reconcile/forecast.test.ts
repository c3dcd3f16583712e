import test from 'ava';
import { DEFAULT_TIMES } from '#model/times.ts';
import { Forecast } from '../../../../controller/reconcile/forecast.ts';
import { PaperCluster } from '../../../../controller/reconcile/paper-cluster.ts';
import { app, node, service, serviceStatus, snapshot, T0, task } from '../../../support/builders.ts';

const CONTEXT = { nowMs: T0, clusterId: 'c', times: DEFAULT_TIMES, awayForMs: () => 0, revisionOf: () => undefined };

test('decisions are settled before any task runs; a run ends settled, past its monitor', t => {
  const old = service({ replicas: 1 });
  const paper = new PaperCluster(snapshot({ nodes: [node('n1')], services: [old], serviceStatuses: [serviceStatus(old)], tasks: [task(old, 'n1')] }));
  const forecast = new Forecast(paper, CONTEXT);
  const next = service({ replicas: 1, revision: 2, templateHash: 'hash-2' });
  forecast.request(paper.putApp(app('shop', { revision: 2 }), [next]));
  forecast.settleDecisions();
  t.is(paper.snapshot.tasks.size, 2);
  t.is(paper.snapshot.statuses.size, 1);
  t.true(forecast.run());
  t.like(paper.snapshot.serviceStatuses.get(next.id)?.value, { settledRevision: 2, rollout: { state: 'settled' } });
  t.deepEqual([...forecast.stops.values()], ['replaced']);
});
test('a cluster where nothing fits comes to rest', t => {
  const web = service();
  const paper = new PaperCluster(snapshot({ services: [web] }));
  t.true(new Forecast(paper, CONTEXT).run());
  t.is(paper.snapshot.serviceStatuses.get(web.id)?.value.pending.length, 3);
});
