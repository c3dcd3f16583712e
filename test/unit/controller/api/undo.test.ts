import test from 'ava';
import type { Revision, Service } from '#model/app.ts';
import { appId } from '#model/ids.ts';
import { undoneApp, undoneService } from '../../../../controller/api/undo.ts';
import { T0, service } from '../../../support/builders.ts';

const mounted = { configs: [{ source: 'page', target: '/page', mode: 0o444 }] };
const pins = (sha256: string): Service['pins'] => ({ configs: [{ name: 'page', sha256 }], secrets: [] });
const now: Service = { ...service({ name: 'web', replicas: 7, revision: 2, container: { ...mounted, image: 'new' } }), pins: pins('two') };
const other: Service = { ...service({ name: 'api', revision: 2 }), pins: pins('two') };
const old: Revision = { app: appId('default', 'shop'), number: 1, services: [service({ name: 'web', replicas: 3, container: { ...mounted, image: 'old' } }).spec], volumes: [], pins: pins('one'), createdAtMs: T0 };

test('an App goes back whole: specs, contents, services that it had not; the replicas stay', t => {
  const { app, pins: kept } = undoneApp(old, new Map([['web', { service: now }], ['api', { service: other }]]));
  t.deepEqual(app.services.map(spec => [spec.name, spec.container.image, spec.replicas]), [['web', 'old', 7]]);
  t.deepEqual(kept, old.pins);
});

test('one service goes back with what it mounts, the others stay', t => {
  const { app, pins: kept } = undoneService(old, 'web', new Map([['web', { service: now }], ['api', { service: other }]]));
  t.deepEqual(app.services.map(spec => [spec.name, spec.container.image]), [['api', other.spec.container.image], ['web', 'old']]);
  t.deepEqual(kept, old.pins);
});

test('not with a content that another service has otherwise, nor to a Revision without it', t => {
  const sharing: Service = { ...service({ name: 'api', revision: 2, container: mounted }), pins: pins('two') };
  const refused = t.throws(() => undoneService(old, 'web', new Map([['web', { service: now }], ['api', { service: sharing }]])));
  t.is(refused.message, 'config page of revision 1 is not what service api uses now; go back with the whole App: clusterctl rollout undo app/shop --to-revision 1');
  t.is(t.throws(() => undoneService(old, 'api', new Map([['api', { service: other }]]))).message, 'revision 1 has no service api');
});
