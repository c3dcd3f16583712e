import test from 'ava';
import { AGENT_OPTIONS, agentUsage, parseAgentConfig } from '../../../agent/config.ts';

test('only the name is needed', t => {
  t.like(parseAgentConfig(['--node', 'n1']), {
    node: 'n1', controllers: [], stateDir: '/var/lib/gantry', scope: 'gantry', poolSize: 16, userNamespaceBase: 1_048_576, isMetricsPlain: false, logLevel: 'info',
  });
});

test('every option is taken', t => {
  const config = parseAgentConfig([
    '--node', 'n1', '--controllers', 'a:1, b:2', '--join', 'T', '--config-dir', '/c', '--state-dir', '/s', '--run-dir', '/r', '--scope', 'dev1', '--underlay-address', '10.0.0.2',
    '--capacity', 'cpu=1.5,memory=2Gi', '--labels', 'disk=ssd,zone=a', '--userns-base', '2000000000', '--pool', '3', '--vxlan-id', '9', '--vxlan-port', '4790',
    '--management-ports', '7411-7412,7410,7402', '--forward-links', 'docker0,br-*',
    '--metrics-listen', '10.0.0.2:7402', '--metrics-plain', '--nats', 'tls://a:4222,b:4222', '--registry-ca', '/ca.pem', '--plain-registries', 'r:5000',
    '--registry-mirrors', 'docker.io=m:5000,docker.io=n:5000', '--token-hosts', 'r:5000=auth:8443', '--pull-workers', '3', '--image-unused', '1h', '--image-disk', '70', '--default-resolvers', '9.9.9.9', '--bind-prefixes', '/data', '--log-level', 'debug',
  ]);
  t.deepEqual(config, {
    node: config.node, controllers: ['a:1', 'b:2'], joinToken: 'T', configDir: '/c', stateDir: '/s', runDir: '/r', scope: 'dev1', snapshotter: 'auto', underlayAddress: '10.0.0.2',
    capacity: { milliCpu: 1_500, memoryBytes: 2 * 1024 ** 3 }, labels: new Map([['disk', 'ssd'], ['zone', 'a']]), userNamespaceBase: 2_000_000_000, poolSize: 3,
    vxlanId: 9, vxlanPort: 4790, managementPorts: ['7402', '7410-7412'], forwardLinks: ['docker0', 'br-*'], metricsListen: '10.0.0.2:7402', isMetricsPlain: true, natsServers: ['a:4222', 'b:4222'], registryCaFile: '/ca.pem',
    registries: { plainRegistries: ['r:5000'], mirrors: new Map([['docker.io', ['m:5000', 'n:5000']]]), tokenHosts: new Map([['r:5000', ['auth:8443']]]) },
    pullWorkers: 3, imageUnusedMs: 3_600_000, imageDiskPercent: 70, defaultResolvers: ['9.9.9.9'], bindPrefixes: ['/data'], devicePaths: [], deviceUnits: new Map(), allowsPrivileged: false, pullStallMs: 60_000, logLevel: 'debug',
  });
});

const refused = test.macro({
  exec(t, args: readonly string[], message: RegExp) {
    t.throws(() => parseAgentConfig(args), { name: 'ClusterError', message });
  },
  title: (name = '') => `refused: ${name}`,
});

test('no name', refused, [], /--node "" is not an RFC 1123 label/);
test('an unknown option', refused, ['--node', 'n1', '--nodes'], /nodes/);
test('a relative directory', refused, ['--node', 'n1', '--state-dir', 'x'], /--state-dir "x" is not an absolute path/);
test('a scope that is too long for a link', refused, ['--node', 'n1', '--scope', 'abcdefghijkl'], /--scope/);
test('half a capacity', refused, ['--node', 'n1', '--capacity', 'cpu=4'], /--capacity "cpu=4" is not cpu=N,memory=SIZE/);
test('a capacity of a disk alone', refused, ['--node', 'n1', '--capacity', 'cpu=4,disk=1Gi'], /is not cpu=N,memory=SIZE or cpu=N,memory=SIZE,disk=SIZE/);
test('a disk without a size', refused, ['--node', 'n1', '--capacity', 'cpu=4,memory=1Gi,disk='], /is not cpu=N,memory=SIZE/);
test('a capacity of what is none', refused, ['--node', 'n1', '--capacity', 'cpu=4,memory=1Gi,tape=1Gi'], /is not cpu=N,memory=SIZE/);

test('a capacity may say how much of the disk tasks may ask for', t => {
  t.deepEqual(parseAgentConfig(['--node', 'n1', '--controllers', 'c:1', '--capacity', 'cpu=4,memory=1Gi,disk=2Gi']).capacity, { milliCpu: 4_000, memoryBytes: 2 ** 30, diskBytes: 2 ** 31 });
});
test('a pool that is no number', refused, ['--node', 'n1', '--pool', '1x'], /--pool/);
test('an address that is a name', refused, ['--node', 'n1', '--underlay-address', 'localhost'], /--underlay-address/);
test('a label without a value', refused, ['--node', 'n1', '--labels', 'ssd'], /--labels/);
test('a snapshot driver that is none', refused, ['--node', 'n1', '--snapshotter', 'zfs'], /--snapshotter "zfs" is not one of auto, overlay, btrfs, vfs/);
test('a mirror of nothing', refused, ['--node', 'n1', '--registry-mirrors', 'm:5000'], /--registry-mirrors "m:5000" is not REGISTRY=HOST/);
test('a disk share above the whole', refused, ['--node', 'n1', '--image-disk', '101'], /--image-disk/);
test('metrics on no port', refused, ['--node', 'n1', '--metrics-listen', '10.0.0.2'], /--metrics-listen "10.0.0.2" is not HOST:PORT/);
test('a management port that is none', refused, ['--node', 'n1', '--management-ports', '7400-7403,9-8'], /--management-ports "9-8" is not a port or a range of ports/);
test('a link that needs quoting', refused, ['--node', 'n1', '--forward-links', 'a"b'], /--forward-links/);
test('no pull workers', refused, ['--node', 'n1', '--pull-workers', '0'], /--pull-workers/);
test('an unknown log level', refused, ['--node', 'n1', '--log-level', 'loud'], /--log-level/);

test('the usage names every option', t => {
  t.deepEqual(Object.keys(AGENT_OPTIONS).filter(name => !agentUsage().includes(`--${name} `)), []);
});

test('named devices: each entry is one unit', t => {
  const parse = (devices: string): object => Object.fromEntries(parseAgentConfig(['--node', 'n1', '--devices', devices]).deviceUnits);
  t.deepEqual(parse('nvidia.com/gpu=/dev/nvidia0+/dev/nvidiactl,fpga=/dev/f,nvidia.com/gpu=/dev/nvidia1'), {
    'nvidia.com/gpu#0': ['/dev/nvidia0', '/dev/nvidiactl'], 'fpga#0': ['/dev/f'], 'nvidia.com/gpu#1': ['/dev/nvidia1'],
  });
  for (const bad of ['gpu', '=/dev/x', 'gpu=', 'gpu=/etc/passwd', 'gpu=/dev/../etc/passwd', 'a b=/dev/x']) {
    t.throws(() => parse(bad), { code: 'INVALID_ARGUMENT', message: /--devices/ }, bad);
  }
});

test('a list that is given twice is one list', t => {
  const { deviceUnits, labels } = parseAgentConfig(['--node', 'n1', '--devices', 'gpu=/dev/a', '--devices', 'gpu=/dev/b', '--labels', 'zone=a', '--labels', 'disk=ssd']);
  t.deepEqual([...deviceUnits], [['gpu#0', ['/dev/a']], ['gpu#1', ['/dev/b']]]);
  t.deepEqual([...labels], [['zone', 'a'], ['disk', 'ssd']]);
});

test('paths of the node are clean and absolute', t => {
  for (const option of ['--bind-prefixes', '--device-paths']) {
    t.throws(() => parseAgentConfig(['--node', 'n1', option, '/srv/../etc']), { code: 'INVALID_ARGUMENT' });
  }
});
