import test from 'ava';
import { devLayout } from '../../../../cli/dev/layout.ts';
import { controllerAddresses, joinAddresses, natsConfig, processTable, registryConfig } from '../../../../cli/dev/process-table.ts';

const layout = devLayout({ name: 'dev', underlayIndex: 0, nodeCount: 2, controllerCount: 2, ports: Array.from({ length: 10 }, (_, index) => 7400 + index) });
const choice = { binDir: '/bin', times: 'test', capacity: 'cpu=4,memory=7Gi', agentOptions: '--allow-privileged  --bind-prefixes /srv', logLevel: 'info' } as const;
const table = processTable(layout, choice);
const argsOf = (name: string): string => table.find(one => one.name === name)?.args.join(' ') ?? '';

test('what others need is started before them', t => {
  t.deepEqual(table.map(one => one.name), ['etcd', 'nats', 'registry', 'c1', 'c2', 'n1-deadman', 'n2-deadman', 'n1', 'n2']);
});

test('each agent has a deadman beside it, which reads its directory and sees its mounts', t => {
  t.is(argsOf('n1-deadman'), `--mount=${layout.runDir}/mnt/n1 -- /bin/gantry-deadman --run-dir ${layout.runDir}/n1`);
  t.true(argsOf('n1').includes(`--run-dir ${layout.runDir}/n1 `));
});

test('etcd listens on loopback alone and wants certificates of clients and peers', t => {
  t.regex(argsOf('etcd'), /--listen-client-urls https:\/\/127\.0\.0\.1:7400 /);
  t.regex(argsOf('etcd'), /--client-cert-auth --peer-client-cert-auth/);
});

test('agents know every controller; none knows etcd', t => {
  const addresses = controllerAddresses(layout);
  t.is(new Set([...addresses, ...joinAddresses(layout)]).size, 4);
  t.true(argsOf('n1').includes(`--controllers ${addresses.join(',')}`));
  t.notRegex(argsOf('n1') + argsOf('n2'), /etcd/);
});

test('NATS and the registry are reached over TLS', t => {
  t.regex(natsConfig(layout), /verify_and_map: true/);
  t.regex(registryConfig(layout), /tls: { certificate: /);
});

test('controllers ask the Prometheus that is named, and none without one', t => {
  const asking = processTable(layout, { ...choice, prometheusUrl: 'http://127.0.0.1:9090' });
  t.deepEqual(asking.filter(({ args }) => args.join(' ').includes('--prometheus http://127.0.0.1:9090')).map(({ name }) => name), ['c1', 'c2']);
  t.false(argsOf('c1').includes('--prometheus'));
});

test('options given for agents are each agent\'s last', t => {
  t.true(argsOf('n1').endsWith('--allow-privileged --bind-prefixes /srv'));
  t.false(argsOf('c1').includes('--allow-privileged'));
});
