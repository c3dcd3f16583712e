import test from 'ava';
import { configsInUse, configTable, isConfigNamed, usesOf } from '../../../../cli/format/contents.ts';
import { service } from '../../../support/builders.ts';
import { clusterView, serviceView } from '../../../support/cluster-view.ts';

const FULL = { running: 1, healthy: 1, wanted: 1 };
const pins = { configs: [{ name: 'page', sha256: 'ab'.repeat(32) }], secrets: [{ name: 'key', version: 3 }] };
const mount = (source: string, target: string): { readonly source: string; readonly target: string; readonly mode: number } => ({ source, target, mode: 0o444 });
const web = { ...service({ name: 'web', container: { configs: [mount('page', '/etc/page')], secrets: [mount('key', '/run/secrets/key')] } }), pins };
const api = { ...service({ name: 'api' }), pins };
const view = clusterView({ services: [web, api].map(one => serviceView(one, FULL)) });

test('a config once an App and content, with the services that mount it', t => {
  t.deepEqual(configsInUse(view), [{ namespace: 'default', app: 'shop', name: 'page', sha256: 'ab'.repeat(32), services: ['web'] }]);
  t.deepEqual(configTable(configsInUse(view)).rows, [['default', 'shop/page', 'abababababab', 'web']]);
});
test('during a rollout both contents are there', t => {
  const older = { ...api, pins: { ...pins, configs: [{ name: 'page', sha256: 'cd'.repeat(32) }] } };
  t.deepEqual(configsInUse({ services: [web, older].map(one => serviceView(one, FULL)) }).map(({ sha256 }) => sha256.slice(0, 2)), ['ab', 'cd']);
});
test('a config by its name, with its App, with its namespace', t => {
  const [config] = configsInUse(view);
  t.deepEqual(['page', 'shop/page', 'default/shop/page', 'other/page', 'pag'].map(name => config !== undefined && isConfigNamed(config, name)), [true, true, true, false, false]);
});
test('who mounts it, where, and of secrets which version', t => {
  t.deepEqual(usesOf(view, { kind: 'configs', namespace: 'default', app: 'shop', name: 'page' }), [{ service: 'shop/web', target: '/etc/page' }]);
  t.deepEqual(usesOf(view, { kind: 'secrets', namespace: 'default', name: 'key' }), [{ service: 'shop/web', target: '/run/secrets/key', version: 3 }]);
  t.deepEqual(usesOf(view, { kind: 'secrets', namespace: 'prod', name: 'key' }), []);
});
