import test from 'ava';
import { buildRunApp } from '../../../cli/run-app.ts';
import type { RunWish } from '../../../cli/run-app.ts';

const WISH: RunWish = {
  namespace: 'default', name: 'run-1', image: 'alpine', command: [], tty: false, stdin: false, init: false, environment: [], ports: [], volumes: [],
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
