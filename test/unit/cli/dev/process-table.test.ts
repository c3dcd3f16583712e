import test from 'ava';
import { devLayout, portsNeeded } from '../../../../cli/dev/layout.ts';
import { natsConfig, processTable, registryConfig } from '../../../../cli/dev/process-table.ts';
import { parseAgentConfig } from '../../../../agent/config.ts';
import { parseControllerConfig } from '../../../../controller/config.ts';

const layout = devLayout({ name: 'dev', underlayIndex: 4, nodeCount: 2, controllerCount: 2, ports: Array.from({ length: portsNeeded(2) }, (_, index) => 7400 + index) });
const table = processTable(layout, { binDir: '/bin', times: 'test', capacity: 'cpu=4,memory=7Gi', logLevel: 'warn' });

test('agents come last: they need controllers, which need etcd', t => {
  t.deepEqual(table.map(spec => spec.name), ['etcd', 'nats', 'registry', 'c1', 'c2', 'n1', 'n2']);
});

test('controllers take their arguments and find etcd and NATS', t => {
  const config = parseControllerConfig(table.find(spec => spec.name === 'c2')?.args ?? []);
  t.like(config, { id: 'c2', etcdHosts: ['https://127.0.0.1:7400'], natsServers: ['10.161.4.1:7402'], advertise: '10.161.4.1:7407', metricsListen: '10.161.4.1:7409' });
});

test('agents take theirs, inside their own namespaces', t => {
  const args = table.find(spec => spec.name === 'n2')?.args ?? [];
  t.deepEqual(args.slice(0, 2), ['--net=/run/netns/gantry-dev-n2', '--mount=/run/gantry-dev/dev/mnt/n2']);
  t.like(parseAgentConfig(args.slice(args.indexOf('--node'))), { node: 'n2', controllers: ['10.161.4.1:7404', '10.161.4.1:7407'], metricsListen: '10.161.4.11:7402', underlayAddress: '10.161.4.11' });
});

test('every process carries a path of the cluster, by which it is found when all else is lost', t => {
  t.deepEqual(table.filter(spec => !spec.args.some(word => word.includes('/var/lib/gantry-dev/dev/'))).map(spec => spec.name), []);
});

test('NATS and the registry ask for TLS', t => {
  t.regex(natsConfig(layout), /verify: true/);
  t.regex(registryConfig(layout), /tls: \{ certificate: /);
});
