import test from 'ava';
import { manifest, serviceOf, violationsOf } from '../../../support/manifest.ts';

const MIB = 2 ** 20;
const container = (web: object) => serviceOf(web).container;

test('requests default to written limits, else 0.05 cpu and 32Mi', t => {
  t.like(container({}), { requests: { milliCpu: 50, memoryBytes: 32 * MIB }, limits: { memoryBytes: 512 * MIB, pids: 512 } });
  t.like(container({ resources: { limits: { cpus: 0.5, memory: '256Mi' } } }), { requests: { milliCpu: 500, memoryBytes: 256 * MIB } });
  t.like(container({ resources: { requests: { memory: '1Gi' } } }), { limits: { memoryBytes: 1024 * MIB } });
});

test('command and entrypoint are lists or text split as a shell would', t => {
  t.deepEqual(container({ command: "sh -c 'a b'" }).command, ['sh', '-c', 'a b']);
  t.deepEqual(container({ entrypoint: ['x'], command: [] }), { ...container({ entrypoint: ['x'], command: [] }), entrypoint: ['x'], command: [] });
  t.is(container({}).command, undefined);
});

test('an image keeps its digest apart and gets no registry here', t => {
  const digest = `sha256:${'a'.repeat(64)}`;
  t.like(container({ image: `nginx:1@${digest}` }), { image: 'nginx:1', digest });
});

test('health checks in Compose\'s and our own forms', t => {
  const action = (healthcheck: object) => container({ healthcheck }).healthcheck?.action;
  t.deepEqual(action({ http: { port: 80 } }), { kind: 'http', port: 80, path: '/' });
  t.deepEqual(action({ tcp: { port: 80 } }), { kind: 'tcp', port: 80 });
  t.deepEqual(action({ grpc: { port: 80 } }), { kind: 'grpc', port: 80, service: '' });
  t.deepEqual(action({ grpc: { port: 80, service: 'shop.v1.Cart' } }), { kind: 'grpc', port: 80, service: 'shop.v1.Cart' });
  t.deepEqual(action({ test: ['CMD', 'true', 'x'] }), { kind: 'exec', command: ['true', 'x'] });
  t.deepEqual(action({ test: ['CMD-SHELL', 'a | b'] }), { kind: 'exec', command: ['/bin/sh', '-c', 'a | b'] });
  t.deepEqual(action({ test: 'a | b' }), { kind: 'exec', command: ['/bin/sh', '-c', 'a | b'] });
  t.regex(violationsOf(manifest({ healthcheck: { grpc: { port: 1 }, tcp: { port: 1 } } }))[0]?.message ?? '', /one of http, tcp, grpc and test/);
  t.regex(violationsOf(manifest({ healthcheck: { interval: '1s' } }))[0]?.message ?? '', /one of http, tcp, grpc and test/);
});

test('capabilities are named without CAP_, signals with SIG', t => {
  t.like(container({ security: { cap_add: ['CAP_CHOWN'], cap_drop: ['ALL'] }, stop_signal: 'QUIT' }), { security: { capAdd: ['CHOWN'], capDrop: ['ALL'] }, stopSignal: 'SIGQUIT' });
});

test('the restricted profile has a read-only root file system', t => {
  t.like(container({ security: { profile: 'restricted', user: '1000' } }).security, { profile: 'restricted', readOnly: true });
});

test('new privileges cannot be had', t => {
  t.is(violationsOf(manifest({ security: { no_new_privileges: false } }))[0]?.path, 'services.web.security.no_new_privileges');
});

test('ulimits are one number or two', t => {
  t.deepEqual(container({ ulimits: { nofile: 10, core: { soft: 0, hard: 1 } } }).ulimits, [{ name: 'core', soft: 0, hard: 1 }, { name: 'nofile', soft: 10, hard: 10 }]);
});

test('extra_hosts keep the colons of an address', t => {
  t.deepEqual(container({ extra_hosts: ['old:10.1.2.3', 'six:fd00::1'] }).extraHosts, [{ name: 'old', address: '10.1.2.3' }, { name: 'six', address: 'fd00::1' }]);
});

test('a disk that is asked for is counted by the scheduler; it is not there unless it is written', t => {
  t.is(serviceOf({ resources: { requests: { disk: '2Gi' } } }).container.requests.diskBytes, 2 ** 31);
  t.is(serviceOf({ resources: { limits: { storage: '1Gi' } } }).container.requests.diskBytes, undefined);
  t.like(violationsOf(manifest({ resources: { requests: { disk: '2G' } } })), [{ path: 'services.web.resources.requests.disk' }]);
});

test('huge pages by the size of a page, smallest first', t => {
  t.deepEqual(container({ resources: { limits: { hugepages: { '1Gi': '2Gi', '2Mi': '64Mi' } } } }).limits.hugepages, [{ pageBytes: 2 * MIB, bytes: 64 * MIB }, { pageBytes: 2 ** 30, bytes: 2 ** 31 }]);
  t.is(container({ resources: { limits: { hugepages: {} } } }).limits.hugepages, undefined);
});

test('huge pages that make no sense are told with what would', t => {
  const problems = (hugepages: object) => violationsOf(manifest({ resources: { limits: { hugepages } } })).map(({ path, message }) => `${path}: ${message}`);
  t.deepEqual(problems({ '2Mi': '3Mi' }), ['services.web.resources.limits.hugepages.2Mi: must be whole pages of 2Mi, at least one']);
  t.regex(problems({ huge: '2Mi' })[0] ?? '', /hugepages\.huge: 'huge' is not an amount of memory.*; a size of huge pages is expected, as 2Mi or 1Gi/);
  t.regex(problems({ '3Mi': '3Mi' })[0] ?? '', /power of two/);
});
