import test from 'ava';
import { PLAN_LIFE_MS, planRecord, stalePlanReason } from '../../../../controller/reconcile/plan-record.ts';
import { PaperCluster } from '../../../../controller/reconcile/paper-cluster.ts';
import { app, node, service, snapshot, status, T0, task } from '../../../support/builders.ts';
import { appOf } from '../../../support/manifest.ts';

const spec = (name: string, image = 'nginx'): ReturnType<typeof appOf> => appOf({ apiVersion: 'gantry/v1', kind: 'App', metadata: { name }, services: { web: { image } } });
const web = service();
const other = service({ app: 'blog' });
const before = snapshot({ nodes: [node('n1')], services: [web, other], tasks: [task(web, 'n1')] });
const record = planRecord({ id: 'aaaaaaaaaaaa', snapshot: before, apps: [spec('shop'), spec('more')], nowMs: T0 });

function reasonAfter(change: (paper: PaperCluster) => void, planned = spec('shop'), nowMs = T0): string | undefined {
  const paper = new PaperCluster(before);
  change(paper);
  return stalePlanReason(record, planned, paper.snapshot, nowMs);
}

test('nothing changed, or only what agents report: it is carried out', t => {
  t.is(reasonAfter(() => undefined), undefined);
  t.is(reasonAfter(paper => { paper.report(status(task(web, 'n1'), { restarts: 3 })); }), undefined);
});
test('what changed is named', t => {
  t.regex(reasonAfter(paper => { paper.putApp(app(), [{ ...web, revision: 2 }]); }) ?? '', /since plan aaaaaaaaaaaa was made \(expected revision 100, is 102\): service\/default\/shop\/web was changed; plan again/);
  t.regex(reasonAfter(paper => { paper.putNode(node('n1', { availability: 'cordoned' })); }) ?? '', /node\/n1 was changed/);
  t.regex(reasonAfter(paper => { paper.apply({ kind: 'stop-task', taskId: task(web, 'n1').id, reason: '' }); }) ?? '', /task\/\w+ was stopped/);
  t.regex(reasonAfter(paper => { paper.apply({ kind: 'remove-service', serviceId: other.id, reason: '' }); }) ?? '', /came or went/);
});
test('the plan\'s other Apps may land before', t => {
  t.is(reasonAfter(paper => { paper.putApp(app('more'), [service({ app: 'more' })]); }), undefined);
});
test('another manifest, another App, another hour', t => {
  t.regex(reasonAfter(() => undefined, spec('shop', 'redis')) ?? '', /not the one that plan/);
  t.regex(reasonAfter(() => undefined, spec('third')) ?? '', /not about App default\/third/);
  t.regex(reasonAfter(() => undefined, spec('shop'), T0 + PLAN_LIFE_MS + 1) ?? '', /older than an hour/);
});
