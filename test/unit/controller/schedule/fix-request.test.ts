import test from 'ava';
import type { Service } from '#model/app.ts';
import { findBlocked } from '../../../../controller/schedule/blocked.ts';
import { lessOfIt } from '../../../../controller/schedule/fix-field.ts';
import { smallerRequests } from '../../../../controller/schedule/fix-request.ts';
import type { ContainerSpec } from '#model/service.ts';
import { node, resources, service, snapshot } from '../../../support/builders.ts';

const nodes = [node('n1', { capacity: { ...resources(1_000, 100), pids: 70 }, policy: { bindPrefixes: [], devicePaths: [], allowsPrivileged: false, devices: [{ name: 'acme.com/gpu', count: 3 }] } })];

function less(container: Partial<ContainerSpec>, slots = 1): readonly unknown[] {
  const of: Service = service({ container });
  const blocked = findBlocked(snapshot({ nodes, services: [of] }), of, Array.from({ length: slots }, (_, slot) => ({ slot })));
  return blocked === undefined ? ['it fits'] : [...lessOfIt(blocked)].map(({ fix: { edit } }) => (edit.kind === 'field' ? `${edit.path}: ${edit.value}` : ''));
}

test('the most with which all slots find a place, to the unit', t => {
  t.deepEqual(less({ requests: resources(1_500, 16) }, 3), ['services.web.resources.requests.cpus: 0.333']);
  t.deepEqual(less({ requests: resources(100, 101) }), ['services.web.resources.requests.memory: 100Mi']);
  t.deepEqual(less({ requests: { ...resources(100, 16), pids: 90 } }, 2), ['services.web.resources.requests.pids: 35']);
  t.deepEqual(less({ requests: resources(100, 16), deviceRequests: [{ name: 'acme.com/gpu', count: 2 }] }, 3), ['services.web.resources.requests.devices.acme.com/gpu: 1']);
});
test('update changes cpus and memory; the rest is the manifest\'s, and so is a job', t => {
  const commands = (container: Partial<ContainerSpec>, of: Partial<Service> = {}): readonly (string | undefined)[] => {
    const made = { ...service({ container }), ...of };
    const blocked = findBlocked(snapshot({ nodes, services: [made] }), made, [{ slot: 0 }]);
    return blocked === undefined ? [] : [...lessOfIt(blocked)].map(({ fix }) => fix.command);
  };
  t.deepEqual(commands({ requests: resources(1_500, 16) }), ['clusterctl update --request-cpus 1 shop/web']);
  t.deepEqual(commands({ requests: resources(100, 101) }, { namespace: 'prod' }), ['clusterctl update --request-memory 100Mi -n prod shop/web']);
  t.deepEqual(commands({ requests: { ...resources(100, 16), pids: 90 } }), [undefined]);
  t.deepEqual(commands({ requests: resources(1_500, 16) }, { spec: service({ kind: 'job', container: { requests: resources(1_500, 16) } }).spec }), [undefined]);
});
test('two things are scarce: less of one does not help', t => {
  t.deepEqual(less({ requests: resources(1_500, 200) }), []);
});
test('what is not scarce is not looked at', t => {
  const of = service({ container: { runtime: 'kata' } });
  const blocked = findBlocked(snapshot({ nodes, services: [of] }), of, [{ slot: 0 }]);
  t.deepEqual(blocked === undefined ? undefined : [...smallerRequests(blocked, () => { throw new Error('tried'); })], []);
});
