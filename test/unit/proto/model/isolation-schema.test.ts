import test from 'ava';
import { parseDevice } from '#model/isolation-schema.ts';
import { manifest, serviceOf, violationsOf } from '../../../support/manifest.ts';

const container = (web: object) => serviceOf(web).container;

test('everything is private and closed unless it says otherwise', t => {
  t.deepEqual(container({}).security, { profile: 'baseline', readOnly: false, capAdd: [], capDrop: [], hostNamespaces: [], mayGainPrivileges: false, isUnconfined: false });
  t.like(container({}), { devices: [], deviceRequests: [], dns: { servers: [], search: [], options: [] } });
});
test('host namespaces in one order, whatever the order of the keys', t => {
  const { security } = container({ security: { profile: 'privileged', network: 'host', userns: 'host', ipc: 'private', pid: 'host' } });
  t.deepEqual(security.hostNamespaces, ['userns', 'pid', 'network']);
});
test('namespaces of sidecars, each with its name', t => {
  const { security } = container({ security: { ipc: 'sidecar:b', pid: 'sidecar:a', uts: 'private' }, sidecars: [{ name: 'a' }, { name: 'b' }] });
  t.deepEqual(security.sidecarNamespaces, [{ namespace: 'pid', sidecar: 'a' }, { namespace: 'ipc', sidecar: 'b' }]);
  t.deepEqual(security.hostNamespaces, []);
});
test('what all containers of a task share is left private', t => {
  t.like(violationsOf(manifest({ security: { network: 'sidecar:a' }, sidecars: [{ name: 'a' }] })), [{ path: 'services.web.security.network', message: 'all containers of a task have the same one: leave it private' }]);
});
test('words that are not known are told with the nearest', t => {
  t.regex(violationsOf(manifest({ security: { profile: 'privilegd' } }))[0]?.message ?? '', /privileged/);
  t.regex(violationsOf(manifest({ security: { pid: 'hots' } }))[0]?.message ?? '', /host/);
});
test('named devices: whole units, a share of one, a share of several', t => {
  t.deepEqual(container({ resources: { requests: { devices: { gpu: 0.5, fpga: 2, tpu: { count: 2, share: 0.125 } } } } }).deviceRequests, [
    { name: 'fpga', count: 2 }, { name: 'gpu', count: 1, milli: 500 }, { name: 'tpu', count: 2, milli: 125 },
  ]);
  t.regex(violationsOf(manifest({ resources: { requests: { devices: { gpu: 1.5 } } } }))[0]?.message ?? '', /neither whole units, such as 2, nor a share of one, such as 0.5/);
});
test('a device names its place and its access', t => {
  t.deepEqual(parseDevice('/dev/fuse'), { value: { hostPath: '/dev/fuse', target: '/dev/fuse', access: 'rwm' } });
  t.deepEqual(parseDevice('/dev/fuse:/dev/x:r'), { value: { hostPath: '/dev/fuse', target: '/dev/x', access: 'r' } });
  for (const bad of ['', '/dev/a:/dev/b:x', '/dev/a:/dev/b:', '/dev/a:/dev/b:rw:more', '/dev/a:/dev/b:wr']) {
    t.true('problem' in parseDevice(bad), bad);
  }
});
