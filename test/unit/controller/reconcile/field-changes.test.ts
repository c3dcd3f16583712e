import test from 'ava';
import { fieldChanges } from '../../../../controller/reconcile/field-changes.ts';
import { service } from '../../../support/builders.ts';

const web = service({ container: { environment: [{ name: 'LEVEL', value: 'info' }] } });

test('fields that differ, by their paths', t => {
  const after = service({ replicas: 5, container: { environment: [{ name: 'LEVEL', value: 'debug' }, { name: 'TAG', value: '1' }], init: true } });
  t.deepEqual(fieldChanges(web, after).map(({ path, before, after: will }) => [path, before, will]), [
    ['environment[LEVEL].value', 'info', 'debug'], ['environment[TAG].name', undefined, 'TAG'], ['environment[TAG].value', undefined, '1'],
    ['init', 'false', 'true'], ['replicas', '3', '5'],
  ]);
});
test('equal services differ in nothing', t => {
  t.deepEqual(fieldChanges(web, web), []);
});
test('one that comes or goes is one change', t => {
  t.deepEqual(fieldChanges(undefined, web), [{ service: web.id, path: '', after: 'new service' }]);
  t.deepEqual(fieldChanges(web, { ...web, isDeleting: true }), [{ service: web.id, path: '', before: 'service' }]);
});
