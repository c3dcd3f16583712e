import test from 'ava';
import { fieldChanges } from '../../../../controller/reconcile/field-changes.ts';
import { service } from '../../../support/builders.ts';

const web = service({ container: { environment: [{ name: 'LEVEL', value: 'info' }] } });

test('fields that differ, by their paths', t => {
  const after = service({ replicas: 5, container: { environment: [{ name: 'LEVEL', value: 'debug' }, { name: 'TAG', value: '1' }], init: true } });
  t.deepEqual(fieldChanges(web, after).map(({ path, before, after: will }) => [path, before, will]), [
    ['environment[LEVEL]', 'info', 'debug'], ['environment[TAG]', undefined, '1'],
    ['init', 'false', 'true'], ['replicas', '3', '5'],
  ]);
});
test('contents are named as the manifest names them: a config by the start of its digest, a secret by its version', t => {
  const before = { ...web, pins: { configs: [{ name: 'page', sha256: 'a'.repeat(64) }], secrets: [{ name: 'key', version: 1 }] } };
  const after = { ...web, pins: { configs: [{ name: 'page', sha256: 'b'.repeat(64) }], secrets: [{ name: 'key', version: 2 }] } };
  t.deepEqual(fieldChanges(before, after).map(({ path, before: was, after: will }) => [path, was, will]), [
    ['configs.page', `content ${'a'.repeat(12)}`, `content ${'b'.repeat(12)}`], ['secrets.key', 'version 1', 'version 2'],
  ]);
});
test('equal services differ in nothing', t => {
  t.deepEqual(fieldChanges(web, web), []);
});
test('one that comes or goes is one change', t => {
  t.deepEqual(fieldChanges(undefined, web), [{ service: web.id, path: '', after: 'new service' }]);
  t.deepEqual(fieldChanges(web, { ...web, isDeleting: true }), [{ service: web.id, path: '', before: 'service' }]);
});
