import test from 'ava';
import type { Revision } from '#model/app.ts';
import { appId } from '#model/ids.ts';
import { historyItem, historyTable, rolloutItem, rolloutLine, rolloutsOf } from '../../../../cli/format/rollout.ts';
import { formatTable } from '../../../../cli/format/table.ts';
import { service, T0 } from '../../../support/builders.ts';
import { clusterView, serviceView, WEB } from '../../../support/cluster-view.ts';

const FULL = { running: 3, healthy: 2, wanted: 3 };

test('a rollout in one line, with what it waits for', t => {
  t.is(rolloutLine(serviceView(WEB, FULL, 'progressing', 'step 1 of 2 (10%)')), 'shop/web: revision 1 progressing, 2/3 healthy (step 1 of 2 (10%))');
  t.is(rolloutLine({ service: service({ revision: 2 }), ...FULL }), 'shop/web: revision 2 progressing, 2/3 healthy');
});
test('and as JSON', t => {
  const canary = service({ update: { strategy: 'canary', stepPercents: [10, 50], promote: 'manual' } });
  t.like(rolloutItem(serviceView(canary, FULL, 'progressing')), { strategy: 'canary', steps: [10, 50], step: 0, promote: 'manual', state: 'progressing', revision: 1, settledRevision: 1, isPaused: false });
});
test('runs of crons have no rollout', t => {
  const run = { ...service({ name: 'run' }), cronRun: { cron: 'nightly', scheduledAtMs: T0, isManual: false } };
  const view = clusterView({ services: [serviceView(WEB, FULL), serviceView(run, FULL)] });
  t.deepEqual(rolloutsOf(view, { namespace: 'default', name: 'shop' }).map(one => one.service.name), ['web']);
});
test('a revision that was rolled back says so, and why', t => {
  const revision: Revision = { app: appId('default', 'shop'), number: 2, services: [WEB.spec], volumes: [], createdAtMs: T0, pins: { configs: [], secrets: [] } };
  const view = serviceView(WEB, FULL, 'rolled_back', 'revision 2 rolled back to 1: web-0 exits 1');
  const back = { ...view, ...(view.status === undefined ? {} : { status: { ...view.status, rollout: { ...view.status.rollout, revision: 2 } } }) };
  const items = [revision, { ...revision, number: 1 }].map(one => historyItem(one, { services: [back] }));
  t.deepEqual(historyTable(items, T0).rows.map(row => row.slice(2, 4)), [['apply; web: revision 2 rolled back to 1: web-0 exits 1', ''], ['apply', 'web']]);
  t.deepEqual(items.map(({ rolledBack }) => rolledBack.length), [1, 0]);
});
test('a revision with its images and what they mount, and where it is in force', t => {
  const web = service({ container: { image: 'web:1', configs: [{ source: 'page', target: '/page', mode: 0o444 }] } });
  const revision: Revision = { app: appId('default', 'shop'), number: 1, services: [web.spec, service({ name: 'api' }).spec], volumes: [], createdAtMs: T0, cause: 'undo to revision 3',
    pins: { configs: [{ name: 'page', sha256: 'abcdef0123456789' }, { name: 'other', sha256: 'x' }], secrets: [] } };
  const item = historyItem(revision, { service: 'web', services: [serviceView(web, FULL)] });
  t.like(item, { revision: 1, cause: 'undo to revision 3', inForce: ['web'], services: [{ name: 'web', image: 'web:1', configs: ['page@abcdef012345'], secrets: [] }] });
  t.is(formatTable(historyTable([item], T0 + 60_000)),
    'REVISION   AGE   CAUSE                IN FORCE   IMAGES   CONFIGS             SECRETS\n1          1m    undo to revision 3   web        web:1    page@abcdef012345   -\n');
});
