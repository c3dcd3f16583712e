import test from 'ava';
import { completeField, fieldType, findField } from '../../../cli/explain.ts';

test('a field by its path; names of the user\'s own, and indexes, are left out', t => {
  for (const path of ['services.update.max_surge', 'services.NAME.update.max_surge', 'services.*.update.max_surge', 'svc.update.max_surge', 'app.services.update.max_surge']) {
    t.is(findField(path).path, 'services.update.max_surge', path);
  }
  t.is(findField('services.ports[].published').field.name, 'published');
  t.is(findField('').path, '');
});
test('a field of a service alone needs no services before it', t => {
  t.is(findField('update.max_surge').path, 'services.update.max_surge');
  t.is(findField('volumes').path, 'volumes');
});
test('what is no field is refused with the nearest, or all there are', t => {
  t.throws(() => findField('services.updat'), { code: 'NOT_FOUND', message: "services has no field 'updat'; did you mean 'update'?" });
  t.throws(() => findField('services.history.x'), { message: "services.history has no field 'x'; it has succeeded, failed" });
  t.throws(() => findField('services.replicas.x'), { message: "services.replicas has no field 'x'; it has none" });
  t.throws(() => findField('bogus'), { message: /^the manifest has no field 'bogus'; it has apiVersion, kind, / });
});

const typed = test.macro({
  exec: (t, path: string, expected: string) => { t.is(fieldType(findField(path).field), expected); },
  title: (_, path: string) => `the type of ${path}`,
});
test(typed, 'services', 'mapping of NAME to mapping');
test(typed, 'services.replicas', 'integer');
test(typed, 'services.ports', 'list of PUBLISHED:TARGET or mapping');
test(typed, 'services.ports.protocol', 'one of tcp, udp');
test(typed, 'services.placement.tolerate', 'list of text');
test(typed, 'services.ulimits', 'mapping of NAME to integer or mapping');
test(typed, 'apiVersion', 'gantry/v1');

test('completion goes on below what is typed', t => {
  t.deepEqual(completeField('s'), ['secrets', 'services']);
  t.deepEqual(completeField('services.update.max'), ['services.update.max_surge', 'services.update.max_unavailable']);
  t.deepEqual(completeField('svc.hist'), ['svc.history']);
  t.deepEqual(completeField('nothing.x'), []);
});
