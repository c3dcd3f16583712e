import test from 'ava';
import type { AppSpec, SecretVersion } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Namespace } from '#model/namespace.ts';
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

const SECRET = { namespace: 'default', name: 'word', version: 3, keyId: 'k', nonce: new Uint8Array(12), sealed: new Uint8Array(16), createdAtMs: T0 };
const POLICY = { name: 'default', profile: 'baseline', bindPrefixes: [], quota: { tasks: 5, devices: [] }, createdAtMs: T0, updatedAtMs: T0 } as const;
const rules = (namespace: Namespace | undefined, ...secrets: readonly SecretVersion[]): ClusterSnapshot => ({
  ...before,
  secrets: new Map(secrets.map(value => [`${value.namespace}/${value.name}`, { value, createRevision: 1, modRevision: 1 }])),
  namespaces: new Map(namespace === undefined ? [] : [[namespace.name, { value: namespace, createRevision: 1, modRevision: 1 }]]),
});
const holder: AppSpec = { ...spec('shop'), secrets: [{ name: 'word', kind: 'external' }] };

test('another version of an external secret, another policy or quota: the plan is refused and says so', t => {
  const planned = rules(POLICY, SECRET);
  const saved = planRecord({ id: 'aaaaaaaaaaaa', snapshot: planned, apps: [holder], nowMs: T0 });
  const reason = (now: ClusterSnapshot): string => stalePlanReason(saved, holder, now, T0) ?? '';
  t.is(reason(planned), '');
  t.is(reason(rules({ ...POLICY, updatedAtMs: T0 + 9 }, SECRET)), '');
  t.regex(reason(rules(POLICY, { ...SECRET, version: 4 })), /: secret\/default\/word is not at version 3 any more; plan again/);
  t.regex(reason(rules(POLICY, { ...SECRET, createdAtMs: T0 + 9 })), /secret\/default\/word is not at version 3/);
  t.regex(reason(rules({ ...POLICY, quota: { tasks: 4, devices: [] } }, SECRET)), /: policy or quota of namespace\/default was changed; plan again/);
  t.regex(reason(rules({ ...POLICY, profile: 'restricted' }, SECRET)), /policy or quota of namespace\/default/);
  t.regex(reason(rules(undefined, SECRET)), /policy or quota of namespace\/default/);
});
test('a plan of an older controller, which names neither secrets nor policy, is not refused for them', t => {
  const { apps, ...rest } = planRecord({ id: 'aaaaaaaaaaaa', snapshot: rules(POLICY, SECRET), apps: [holder], nowMs: T0 });
  const old = { ...rest, apps: apps.map(app => ({ ...app, secrets: [], namespaceSha256: '' })) };
  t.is(stalePlanReason(old, holder, rules(undefined, { ...SECRET, version: 4 }), T0), undefined);
});
