import test from 'ava';
import { buildRunApp } from '../../../cli/run-app.ts';
import type { RunWish } from '../../../cli/run-app.ts';

const WISH: RunWish = {
  namespace: 'default', name: 'run-1', image: 'alpine', command: [], tty: false, stdin: false, init: false, environment: [], labels: [], ports: [], volumes: [],
  devices: [], capAdd: [], capDrop: [], isPrivileged: false, isHostNetwork: false,
};
function serviceOf(change: Partial<RunWish>): unknown {
  const built = buildRunApp({ ...WISH, ...change });
  return built.kind === 'app' ? built.app.services[0] : built.violations;
}

test('a job that is tried once', t => {
  t.like(serviceOf({}), { kind: 'job', replicas: 1, job: { retries: 0 }, container: { image: 'alpine', restart: { mode: 'never' } } });
});

test('docker\'s flags', t => {
  t.like(serviceOf({ command: ['sh', '-c', 'x y'], tty: true, stdin: true, init: true, cpus: '0.5', memory: '64Mi', user: '5', workingDir: '/srv', entrypoint: '/bin/x', node: 'n1' }), {
    container: { command: ['sh', '-c', 'x y'], tty: true, stdin: true, init: true, limits: { milliCpu: 500, memoryBytes: 67_108_864 }, security: { user: '5' }, workingDir: '/srv', entrypoint: ['/bin/x'] },
    placement: { require: [{ label: 'node', operator: '==', values: ['n1'] }] },
  });
});

test('a named volume is declared', t => {
  const built = buildRunApp({ ...WISH, volumes: ['v:/data'] });
  t.deepEqual(built.kind === 'app' ? built.app.volumes : built, [{ name: 'v', perReplica: false }]);
});

test('what a manifest may not say, run may not either', t => {
  t.like(serviceOf({ volumes: ['/srv/../etc:/x'] }), [{ path: 'services.run.volumes[0]' }]);
  t.like(serviceOf({ image: 'UP' }), [{ path: 'services.run.image' }]);
});

test('the profile is privileged only where a flag needs it', t => {
  const profileOf = (change: Partial<RunWish>): unknown => (serviceOf(change) as { readonly container?: { readonly security: unknown } }).container?.security ?? serviceOf(change);
  t.like(profileOf({ capAdd: ['chown'], capDrop: ['ALL'] }), { profile: 'baseline', capAdd: ['CHOWN'], capDrop: ['ALL'], hostNamespaces: [] });
  t.like(profileOf({ capAdd: ['CAP_NET_ADMIN'] }), { profile: 'privileged', capAdd: ['NET_ADMIN'], mayGainPrivileges: false, isUnconfined: false, hostNamespaces: [] });
  t.like(profileOf({ isPrivileged: true, capAdd: ['CHOWN'] }), { profile: 'privileged', capAdd: ['ALL'], mayGainPrivileges: true, isUnconfined: true, hostNamespaces: ['userns'] });
  t.like(profileOf({ isHostNetwork: true }), { profile: 'privileged', capAdd: [], hostNamespaces: ['userns', 'network'] });
});

test('devices by path or by units, and labels', t => {
  t.like(serviceOf({ devices: ['/dev/fuse', '/dev/kvm:/dev/mine:rw', 'nvidia.com/gpu=2'], labels: [{ name: 'team', value: 'data' }] }), {
    labels: [{ name: 'team', value: 'data' }],
    container: {
      devices: [{ hostPath: '/dev/fuse', target: '/dev/fuse', access: 'rwm' }, { hostPath: '/dev/kvm', target: '/dev/mine', access: 'rw' }],
      deviceRequests: [{ name: 'nvidia.com/gpu', count: 2 }],
    },
  });
});

test('flags that cannot be so are refused with what is wrong', t => {
  t.like(serviceOf({ capAdd: ['FOO'] }), [{ path: 'services.run.security.cap_add[0]', message: "unknown capability 'FOO'" }]);
  t.like(serviceOf({ isHostNetwork: true, ports: ['80:80'] }), [{ path: 'services.run.ports' }]);
  t.like(serviceOf({ devices: ['fuse'] }), [{ path: 'services.run.devices[0]' }]);
});
