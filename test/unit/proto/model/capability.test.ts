import test from 'ava';
import { CAPABILITIES, neededCapabilities } from '#model/capability.ts';
import { containerSpec } from '../../../support/container-task.ts';

const MIB = 2 ** 20;
const plain = containerSpec();

test('a plain container needs nothing of its node', t => {
  t.deepEqual(neededCapabilities({ container: plain }), []);
});
test('fields that agents of before ignore need their capability', t => {
  t.deepEqual(neededCapabilities({ container: { ...plain, limits: { ...plain.limits, storageBytes: MIB } } }), ['storage']);
  t.deepEqual(neededCapabilities({ container: { ...plain, limits: { ...plain.limits, hugepages: [{ pageBytes: 2 * MIB, bytes: 0 }] } } }), ['hugepages']);
  t.deepEqual(neededCapabilities({ container: { ...plain, security: { ...plain.security, sidecarNamespaces: [{ namespace: 'ipc', sidecar: 'proxy' }] } } }), ['sidecar-namespaces']);
  t.deepEqual(neededCapabilities({ container: { ...plain, deviceRequests: [{ name: 'gpu', count: 1, milli: 500 }] } }), ['fractional-devices']);
  t.deepEqual(neededCapabilities({ container: { ...plain, deviceRequests: [{ name: 'gpu', count: 1 }] } }), []);
});
test('each container of a task counts', t => {
  const container = { ...plain, limits: { ...plain.limits, storageBytes: MIB } };
  t.deepEqual(neededCapabilities({ container: plain, companions: [{ name: 'proxy', role: 'sidecar', container }] }), ['storage']);
});
test('names are sorted, and each is one word on the wire', t => {
  t.deepEqual([...CAPABILITIES], CAPABILITIES.toSorted());
  t.true(CAPABILITIES.every(name => /^[a-z-]{1,64}$/.test(name)));
});
