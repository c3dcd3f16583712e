import test from 'ava';
import { TEST_TIMES } from '#model/times.ts';
import { CONTROLLER_OPTIONS, controllerUsage, parseControllerConfig } from '../../../controller/config.ts';

const config = (...args: string[]) => parseControllerConfig(['--id', 'c1', ...args]);

test('defaults follow what is given', t => {
  t.like(config(), { listen: '0.0.0.0:7400', advertise: '0.0.0.0:7400', etcdHosts: ['https://127.0.0.1:7410'], configDir: '/etc/gantry', secretsKeyFile: '/etc/gantry/secrets.key', logLevel: 'info', defaultPolicy: 'spread' });
  t.like(config('--listen', 'c1:1', '--config-dir', '/x', '--metrics-listen', 'm:2'), { advertise: 'c1:1', secretsKeyFile: '/x/secrets.key', metricsAdvertise: 'm:2' });
  t.is(config().etcdTls, undefined);
});

test('a cluster may pack', t => {
  t.is(config('--placement-policy', 'binpack').defaultPolicy, 'binpack');
});

test('the history of an App has ten Revisions, or as many as a cluster wants', t => {
  t.is(config().revisionHistoryLimit, 10);
  t.is(config('--revision-history-limit', '0').revisionHistoryLimit, 0);
});

test('Prometheus may be below a path; without the option there is none', t => {
  t.is(config().prometheusUrl, undefined);
  t.is(config('--prometheus', 'https://metrics.example:9090/prometheus').prometheusUrl, 'https://metrics.example:9090/prometheus');
});

test('what is given counts', t => {
  t.like(config('--etcd', 'http://a:1,http://b:2', '--times', 'test', '--nats', 'n:1,n:2', '--etcd-ca', 'a', '--etcd-cert', 'b', '--etcd-key', 'c', '--join-listen', '[::1]:9'), {
    etcdHosts: ['http://a:1', 'http://b:2'], times: TEST_TIMES, natsServers: ['n:1', 'n:2'], joinListen: '[::1]:9',
    etcdTls: { caFile: 'a', certificateFile: 'b', keyFile: 'c' },
  });
});

test('nodes join at a listener of every address where the API is', t => {
  t.is(config().joinAdvertise, undefined);
  t.is(config('--join-listen', '10.0.0.1:9').joinAdvertise, '10.0.0.1:9');
  t.is(config('--join-listen', '0.0.0.0:9', '--advertise', 'c1.example:7400').joinAdvertise, 'c1.example:9');
  t.is(config('--join-listen', '[::]:9', '--advertise', '[fd00::1]:7400').joinAdvertise, '[fd00::1]:9');
});

for (const [args, words] of [
  [['--id', 'Not_A_Label'], '--id is "Not_A_Label"'],
  [['--listen', 'nowhere'], '--listen is "nowhere", expected HOST:PORT'],
  [['--listen', 'a:99999'], '--listen is "a:99999"'],
  [['--advertise', ':1'], '--advertise is ":1"'],
  [['--etcd', 'ftp://a'], '--etcd is "ftp://a"'],
  [['--etcd-ca', 'x'], '--etcd-ca, --etcd-cert and --etcd-key come together'],
  [['--times', 'slow'], '--times is "slow", expected default or test'],
  [['--log-level', 'loud'], '--log-level is "loud"'],
  [['--prometheus', 'prometheus:9090'], '--prometheus is "prometheus:9090", expected http:// or https://'],
  [['--prometheus', 'http://u:p@prometheus:9090'], 'no user'],
  [['--placement-policy', 'pack'], '--placement-policy is "pack", expected spread or binpack'],
  [['--revision-history-limit', '1001'], '--revision-history-limit is "1001", expected a whole number from 0 to 1000'],
  [['--record', 'here'], '--record is "here", expected an absolute path'],
  [['--config-dir', 'etc'], '--config-dir is "etc", expected an absolute path'],
  [['--metrics-listen', '10.0.0.1:1', '--metrics-plain'], '--metrics-plain is "10.0.0.1:1", expected a loopback address'],
  [['--unknown'], 'unknown'],
] as const) {
  test(`refused: ${args.join(' ')}`, t => {
    const error = t.throws(() => config(...args));
    t.true(error.message.includes(words), error.message);
  });
}

test('--metrics-plain is for loopback', t => {
  t.true(config('--metrics-listen', '127.0.0.1:1', '--metrics-plain').isMetricsPlain);
});

test('the usage names every option', t => {
  for (const name of Object.keys(CONTROLLER_OPTIONS)) {
    t.true(controllerUsage().includes(`--${name} `), name);
  }
});

test('ports of the nodes are reserved, by default those of ssh, DNS, vxlan and Gantry', t => {
  t.deepEqual(config().reservedPorts.map(({ first, last, protocol }) => [first, last, protocol]), [[22, 22, 'tcp'], [53, 53, undefined], [4789, 4789, 'udp'], [7400, 7403, 'tcp'], [7410, 7412, 'tcp']]);
  t.deepEqual(config('--reserved-ports', '80', '--reserved-ports', '90-91/udp').reservedPorts, [{ first: 80, last: 80 }, { first: 90, last: 91, protocol: 'udp' }]);
  t.throws(() => config('--reserved-ports', 'ssh'), { code: 'INVALID_ARGUMENT', message: /--reserved-ports/ });
});
