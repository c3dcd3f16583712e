import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { renderChange, renderTable } from '../../../../agent/proxy/nft-table.ts';
import { appName, proxyTable } from '../../../../agent/proxy/nftables-ruleset.ts';
import { endpointService, endpointSet, port } from '../../../support/endpoint-sets.ts';
import { golden } from '../../../support/golden.ts';

const SITE = { node: parseNodeId('n1'), table: 'gantry-n1-services', bridge: 'n1br' };
const WEB = endpointService('web', '10.160.0.1', [port(8080, { published: 80 }), port(53, { protocol: 'udp' })], ['n1/10.128.1.2', 'n2/10.128.2.2', '!n2/10.128.2.3']);
const DB = endpointService('db', '10.160.0.2', [], ['n2/10.128.2.4']);
const BLOG = endpointService('blog', '10.160.0.3', [port(80, { published: 8080, mode: 'host' })], ['n2/10.128.2.5', '!n2/10.128.2.6'], { app: 'blog' });

test('two ports of a service with two healthy tasks', t => {
  golden(t, 'network/two-ports.nft', renderTable(proxyTable(SITE, endpointSet([WEB]), [])));
});

test('two Apps, of which one has a task here; host mode; allow_from', t => {
  const admin = endpointService('admin', '10.160.0.4', [port(9000, { published: 90, allowFrom: ['10.1.0.0/16', '10.0.0.0/24'] })], ['n1/10.128.1.9'], { app: 'blog' });
  golden(t, 'network/two-apps.nft', renderTable(proxyTable({ ...SITE, node: parseNodeId('n2') }, endpointSet([WEB, DB, BLOG, admin]), [])));
});

test('no service at all', t => {
  golden(t, 'network/no-services.nft', renderTable(proxyTable(SITE, endpointSet([]), [])));
});

test('the order of services, endpoints and ports does not matter', t => {
  const shuffled = endpointSet([BLOG, { ...WEB, ports: WEB.ports.toReversed(), endpoints: WEB.endpoints.toReversed() }, DB]);
  t.is(renderTable(proxyTable(SITE, shuffled, [])), renderTable(proxyTable(SITE, endpointSet([WEB, DB, BLOG]), [])));
});

test('a task that turns unhealthy changes only its service\'s elements', t => {
  const sick = { ...WEB, endpoints: WEB.endpoints.map((endpoint, index) => index === 0 ? { ...endpoint, isHealthy: false } : endpoint) };
  const change = renderChange(proxyTable(SITE, endpointSet([WEB, DB, BLOG]), []), proxyTable(SITE, endpointSet([sick, DB, BLOG]), []));
  t.true(change.includes('add element ip gantry-n1-services virtual-ports { 10.160.0.1 . tcp . 80 : goto virtual-tcp-1, '));
  t.deepEqual(change.split('\n').filter(line => /element/.test(line) && !/10\.160\.0\.1|published/.test(line)), []);
});

test('a service without a healthy task refuses', t => {
  const { elements } = proxyTable(SITE, endpointSet([{ ...WEB, endpoints: [] }]), []);
  t.is(elements.get('virtual-ports')?.get('10.160.0.1 . tcp . 8080'), 'goto refuse');
  t.is(elements.get('published-ports')?.get('tcp . 80'), 'goto refuse');
});

test('a published number counts where it is another port\'s target', t => {
  const one = endpointService('web', '10.160.0.1', [port(8080, { published: 80 }), port(80)], ['n1/10.128.1.2']);
  const both = endpointService('web', '10.160.0.1', [port(80, { published: 8080 }), port(8080, { published: 80 })], ['n1/10.128.1.2']);
  t.is(proxyTable(SITE, endpointSet([one]), []).elements.get('virtual-tcp-endpoints')?.get('10.160.0.1 . 80 . 0'), '10.128.1.2 . 8080');
  const elements = proxyTable(SITE, endpointSet([both]), []).elements.get('virtual-tcp-endpoints');
  t.is(elements?.get('10.160.0.1 . 80 . 0'), '10.128.1.2 . 8080');
  t.is(elements?.get('10.160.0.1 . 8080 . 0'), '10.128.1.2 . 80');
});

test('networks that overlap are one rule each; what is no IPv4 network lets nobody in', t => {
  const web = endpointService('web', '10.160.0.1', [port(80, { published: 80, allowFrom: ['10.1.0.0/16', '10.0.0.0/8', '::/0', '1.2.3.4 accept; drop'] })], ['n1/10.128.1.2']);
  t.deepEqual(proxyTable(SITE, endpointSet([web]), []).chains.get('allow-tcp-80'), ['ip saddr 10.0.0.0/8 goto published-tcp-1', 'ip saddr 10.1.0.0/16 goto published-tcp-1', 'goto refuse']);
});

test('an address that is none never reaches the rules', t => {
  const evil = endpointService('web', '10.160.0.1', [port(80)], ['n1/10.128.1.2 }\nflush ruleset', 'n2/10.128.2.2']);
  t.is(renderTable(proxyTable(SITE, endpointSet([evil]), [])), renderTable(proxyTable(SITE, endpointSet([{ ...evil, endpoints: evil.endpoints.slice(1) }]), [])));
});

test('an admitted task has its App at once', t => {
  const before = proxyTable(SITE, endpointSet([DB]), []);
  t.false(before.elements.has('virtual-ips'));
  const after = proxyTable(SITE, endpointSet([DB]), [{ address: '10.128.1.50', namespace: 'prod', app: 'shop' }]);
  t.is(after.elements.get('local-tasks')?.get('10.128.1.50'), 'goto from/prod/shop');
  t.is(after.elements.get('virtual-ips')?.get('10.160.0.2'), 'goto to/prod/shop');
});

test('names of Apps stay below nft\'s limit and apart', t => {
  const long = 'a'.repeat(63);
  t.true(`from/${appName(long, long)}`.length < 128);
  t.not(appName(long, long), appName(long, `${'a'.repeat(62)}b`));
  t.is(appName('prod', 'shop'), 'prod/shop');
});
