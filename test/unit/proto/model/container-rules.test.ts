import test from 'ava';
import { manifest, violationsOf } from '../../../support/manifest.ts';

const refuses = test.macro({
  exec(t, web: object, path: string, message: RegExp) {
    const violations = violationsOf(manifest(web));
    t.deepEqual(violations.map(violation => violation.path), [`services.web.${path}`]);
    t.regex(violations[0]?.message ?? '', message);
  },
  title: (_, web) => JSON.stringify(web).slice(0, 100),
});
test(refuses, { environment: { '': 'x' } }, 'environment', /invalid name ''/);
test(refuses, { environment: { A: 'a\0b' } }, 'environment', /NUL/);
test(refuses, { environment: ['A=1', 'A=2'] }, 'environment', /'A' is set twice/);
test(refuses, { environment: { A: 'x'.repeat(131_073) } }, 'environment', /longer than 128 KiB/);
test(refuses, { command: ['a\0b'] }, 'command[0]', /NUL/);
test(refuses, { working_dir: 'srv' }, 'working_dir', /clean absolute/);
test(refuses, { working_dir: '/proc/self' }, 'working_dir', /under \/proc/);
test(refuses, { hostname: 'a_b' }, 'hostname', /RFC 1123/);
test(refuses, { stop_signal: 'SIGBOGUS' }, 'stop_signal', /unknown signal/);
test(refuses, { stop_grace_period: '25h' }, 'stop_grace_period', /at most 86400000/);
test(refuses, { ports: ['0:80'] }, 'ports[0]', /at least 1/);
test(refuses, { ports: ['80:65536'] }, 'ports[0]', /at most 65535/);
test(refuses, { ports: ['80:80', '80:81'] }, 'ports[1]', /already published/);
test(refuses, { ports: [{ target: 80, mode: 'host' }] }, 'ports[0].published', /required with mode host/);
test(refuses, { ports: [{ published: 80, target: 80, allow_from: ['10.0.0.1/8'] }] }, 'ports[0].allow_from[0]', /IP network/);
test(refuses, { healthcheck: { tcp: { port: 0 } } }, 'healthcheck.tcp.port', /at least 1/);
test(refuses, { healthcheck: { tcp: { port: 1 }, interval: '0s' } }, 'healthcheck.interval', /more than 0/);
test(refuses, { healthcheck: { tcp: { port: 1 }, retries: 0 } }, 'healthcheck.retries', /at least 1/);
test(refuses, { healthcheck: { grpc: { port: 0 } } }, 'healthcheck.grpc.port', /at least 1/);
test(refuses, { healthcheck: { grpc: { port: 1, service: 'a b' } } }, 'healthcheck.grpc.service', /no name of a gRPC service/);
test(refuses, { healthcheck: { http: { port: 1, path: 'x' } } }, 'healthcheck.http.path', /begin with \//);
test(refuses, { healthcheck: { http: { port: 1, path: '/a\r\nHost: x' } } }, 'healthcheck.http.path', /printable/);
test(refuses, { restart: { window: '0s' } }, 'restart.window', /more than 0/);
test(refuses, { resources: { limits: { cpus: 0 } } }, 'resources.limits.cpus', /more than 0/);
test(refuses, { resources: { limits: { pids: 32_769 } } }, 'resources.limits.pids', /at most 32768/);
test(refuses, { resources: { requests: { memory: '64Mi' }, limits: { memory: '32Mi' } } }, 'resources.limits.memory', /at least what is requested/);
test(refuses, { ulimits: { bogus: 1 } }, 'ulimits', /unknown ulimit/);
test(refuses, { ulimits: { nofile: { soft: 2, hard: 1 } } }, 'ulimits', /soft <= hard/);
test(refuses, { ulimits: { rtprio: 99 } }, 'ulimits', /user namespace/);
test(refuses, { ulimits: { nice: { soft: 0, hard: 1 } } }, 'ulimits', /user namespace/);
test('24: ulimits that only the machine gives are for its own user namespace; 0 of them is what a container has', t => {
  t.deepEqual(violationsOf(manifest({ ulimits: { rtprio: 0, nice: 0, core: 1 } })), []);
  t.deepEqual(violationsOf(manifest({ ulimits: { rtprio: 99 }, security: { profile: 'privileged', userns: 'host' } })), []);
});
test(refuses, { extra_hosts: ['a:1.2.3'] }, 'extra_hosts[0]', /not an IP address/);
test(refuses, { shm_size: '0' }, 'shm_size', /> 0/);
test(refuses, { runtime: '../crun' }, 'runtime', /invalid name/);

test('the bounds themselves are fine', t => {
  t.deepEqual(violationsOf(manifest({
    environment: { A: 'x'.repeat(131_072) }, ports: ['1:65535', '65535:1'], stop_signal: 'SIGRTMIN+3',
    resources: { requests: { memory: '6Mi', cpus: '1m' }, limits: { memory: '6Mi', cpus: '1m', pids: 1 } },
  })), []);
});

test('less than 6Mi is refused for what is requested and for the limit', t => {
  const paths = violationsOf(manifest({ resources: { limits: { memory: '6291455' } } })).map(({ path }) => path);
  t.true(paths.includes('services.web.resources.limits.memory'));
});
