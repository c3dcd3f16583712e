import test from 'ava';
import type { ExecutionContext } from 'ava';
import { endpointService, endpointSet, port } from '../support/endpoint-sets.ts';
import { startServer, TestClient } from '../support/network-peers.ts';
import { eventually, NodeCluster, run, whyNoNamespaces } from '../support/node-namespaces.ts';
import type { EndpointSet } from '#model/endpoints.ts';
import type { NetworkSlot } from '../../agent/network/ports.ts';

const why = whyNoNamespaces();
const withNodes = why === undefined ? test.serial : test.serial.skip;
const NEEDS = why ?? 'root, network namespaces';

const WEB = '10.160.0.1';
const DB = '10.160.0.2';
const OTHER = '10.160.0.3';

async function everywhere(cluster: NodeCluster, set: EndpointSet): Promise<void> {
  await Promise.all(cluster.nodes.map(node => node.call('apply', set)));
}

withNodes(`services answer by virtual IP, published port and address, for whom they should (${NEEDS})`, async t => {
  await using cluster = new NodeCluster(3);
  await cluster.start();
  const [one, two, three] = cluster.nodes;
  const web1 = await one!.call<NetworkSlot>('acquire');
  const web2 = await two!.call<NetworkSlot>('acquire');
  const db = await one!.call<NetworkSlot>('acquire');
  const other = await one!.call<NetworkSlot>('acquire');
  await Promise.all([
    startServer(cluster, web1.networkNamespacePath, 'web1', 8080), startServer(cluster, web2.networkNamespacePath, 'web2', 8080),
    startServer(cluster, db.networkNamespacePath, 'db', 5432), startServer(cluster, other.networkNamespacePath, 'other', 9000),
  ]);
  const webPorts = [port(8080, { published: 80 }), port(8080, { published: 80, protocol: 'udp' }), port(8080, { published: 81, mode: 'host' }), port(8080, { published: 82, allowFrom: ['10.161.0.3/32'] })];
  await everywhere(cluster, endpointSet([
    endpointService('web', WEB, webPorts, [`n1/${web1.address}`, `n2/${web2.address}`]),
    endpointService('db', DB, [], [`n1/${db.address}`]),
    endpointService('other', OTHER, [port(9000)], [`n1/${other.address}`], { app: 'blog' }),
    endpointService('sick', '10.160.0.4', [port(8080, { published: 90 })], [`!n1/${web1.address}`]),
  ], []));
  const fromDb = new TestClient(cluster, db.networkNamespacePath);
  const fromWeb1 = new TestClient(cluster, web1.networkNamespacePath);
  const fromOther = new TestClient(cluster, other.networkNamespacePath);
  const fromThree = new TestClient(cluster, `/run/netns/${three!.netns}`);
  const fromOutside = new TestClient(cluster, `/run/netns/${cluster.prefix}hub`);

  const answers = new Set(await Promise.all(Array.from({ length: 40 }, () => fromDb.ask(WEB, 80))));
  t.deepEqual([...answers].sort(), [`web1 ${db.address}`, `web2 ${db.address}`], 'balanced, and servers see the client\'s address');
  t.regex(await fromDb.ask(WEB, 80, 'udp'), /^web\d /, 'udp');
  t.regex(await fromDb.ask(WEB, 8080), /^web\d /, 'the target port too');
  t.is(await fromWeb1.ask(DB, 5432), `db ${web1.address}`, 'the same App reaches ports that are not listed');
  t.is(await fromWeb1.ask(db.address, 5432), `db ${web1.address}`, 'and a task\'s address, on the same node');
  t.is(await fromDb.ask(web2.address, 8080), `web2 ${db.address}`, 'and on another');
  const hairpins = new Set(await Promise.all(Array.from({ length: 40 }, () => fromWeb1.ask(WEB, 80))));
  t.deepEqual([...hairpins].map(answer => answer.split(' ')[0]).sort(), ['web1', 'web2'], 'a task reaches itself by its service');

  t.regex(await fromOther.ask(WEB, 80), /^web\d /, 'another App by virtual IP and published port');
  t.is(await fromWeb1.ask(OTHER, 9000), `other ${web1.address}`, 'and by a listed port');
  t.is(await fromOther.ask(DB, 5432), 'ECONNREFUSED', 'not by a port that is not listed');
  t.is(await fromOther.askInVain(db.address, 5432), 'TIMEOUT', 'not by address on the same node');
  t.is(await fromOther.askInVain(web2.address, 8080), 'TIMEOUT', 'not by address on another node');

  t.is(await fromDb.ask('10.160.0.4', 8080), 'ECONNREFUSED', 'no healthy endpoint: refused at once');
  t.is(await fromOutside.ask('10.161.0.3', 90), 'ECONNREFUSED');
  t.is(await fromDb.ask('10.160.9.9', 80), 'ECONNREFUSED', 'a virtual IP of no service');
  t.is(await fromDb.ask('10.160.0.4', 8080, 'udp'), 'ECONNREFUSED');

  for (const node of cluster.nodes) {
    const seen = new Set(await Promise.all(Array.from({ length: 30 }, () => fromOutside.ask(node.underlayAddress, 80))));
    t.deepEqual([...new Set([...seen].map(answer => answer.split(' ')[0]))].sort(), ['web1', 'web2'], `published on ${node.name}`);
  }
  t.regex(await fromOutside.ask('10.161.0.3', 80, 'udp'), /^web\d /);
  t.regex(await fromThree.ask('10.161.0.3', 80), /^web\d /, 'a node by its own address');
  t.regex(await fromThree.ask(WEB, 80), /^web\d /, 'a node by virtual IP');
  t.regex(await fromOther.ask('10.161.0.2', 80), /^web\d /, 'a task by another node\'s address');
  t.regex(await fromOther.ask('10.161.0.1', 80), /^web\d /, 'a task by its own node\'s address');
  t.is(await fromOutside.ask('10.161.0.1', 81), 'web1 10.161.0.254', 'host mode: the local task, the client\'s address kept');
  t.is(await fromOutside.ask('10.161.0.3', 81), 'ECONNREFUSED', 'host mode: not where no task is');
  t.regex(await fromThree.ask('10.161.0.1', 82), /^web\d /, 'allow_from lets its networks in');
  t.is(await fromOutside.ask('10.161.0.1', 82), 'ECONNREFUSED', 'and nobody else');

  await closedToTheLan(t, cluster, { web1, web2, fromWeb1, fromThree });

  await startServer(cluster, `/run/netns/${one!.netns}`, 'metrics', 7402);
  t.is(await fromOther.askInVain('10.128.1.1', 7402), 'TIMEOUT', 'management ports are closed to tasks');
  t.is(await fromOther.askInVain('10.161.0.1', 7402), 'TIMEOUT');
  const onTwo = await two!.call<NetworkSlot>('acquire');
  const fromTwo = new TestClient(cluster, onTwo.networkNamespacePath);
  t.is(await fromTwo.askInVain('10.161.0.1', 7402), 'TIMEOUT', 'on other nodes as well');
  const hub = `/run/netns/${cluster.prefix}hub`;
  run('ip', '-n', `${cluster.prefix}hub`, 'address', 'add', '169.254.169.254/32', 'dev', 'br0');
  await startServer(cluster, hub, 'metadata', 80);
  t.is(await fromThree.ask('169.254.169.254', 80), 'metadata 10.161.0.3', 'a node reaches it');
  t.is(await fromTwo.askInVain('169.254.169.254', 80), 'TIMEOUT', 'a task does not');
  await closedToTasks(t, cluster, { fromTwo, fromThree });
});

/** The hub is a host of the LAN that has routes to the cluster's addresses through a node. */
async function closedToTheLan(t: ExecutionContext, cluster: NodeCluster, { web1, web2, fromWeb1, fromThree }: { readonly web1: NetworkSlot; readonly web2: NetworkSlot; readonly fromWeb1: TestClient; readonly fromThree: TestClient }): Promise<void> {
  const hub = `${cluster.prefix}hub`;
  const lan = new TestClient(cluster, `/run/netns/${hub}`);
  const [one, two] = cluster.nodes;
  for (const range of ['10.128.0.0/11', '10.160.0.0/16']) run('ip', '-n', hub, 'route', 'add', range, 'via', '10.161.0.1');
  await startServer(cluster, `/run/netns/${one!.netns}`, 'node', 8099);
  await startServer(cluster, `/run/netns/${two!.netns}`, 'elsewhere', 8098);
  const closed = { 'a virtual IP': [WEB, 80], 'a task of the node': [web1.address, 8080], 'a task of another node': [web2.address, 8080], 'the address of the bridge': ['10.128.1.1', 8099] } as const;
  await Promise.all(Object.entries(closed).map(async ([what, [host, port]]) => { t.is(await lan.askInVain(host, port), 'TIMEOUT', what); }));
  t.is(await lan.ask('10.161.0.1', 8099), 'node 10.161.0.254', 'what is not of the cluster is the machine\'s own');
  t.regex(await lan.ask('10.161.0.1', 80), /^web\d /, 'a published port');
  run('ip', '-n', hub, 'address', 'add', '10.170.0.1/32', 'dev', 'lo');
  await startServer(cluster, `/run/netns/${hub}`, 'world', 8097);
  for (const node of [one!, two!]) node.run('ip', 'route', 'replace', '10.170.0.1/32', 'via', '10.161.0.254');
  t.regex(await fromWeb1.ask('10.170.0.1', 8097), /^world 10\.161\.0\.1$/, 'tasks reach the world');
  cluster.nodes[2]!.run('ip', 'route', 'replace', '10.170.0.1/32', 'via', '10.161.0.1');
  t.is(await fromThree.askInVain('10.170.0.1', 8097), 'TIMEOUT', 'a node is no router for others');
}

async function closedToTasks(t: ExecutionContext, cluster: NodeCluster, { fromTwo, fromThree }: { readonly fromTwo: TestClient; readonly fromThree: TestClient }): Promise<void> {
  const hub = `${cluster.prefix}hub`;
  const clouds = ['168.63.129.16', '100.100.100.200', '192.0.0.192'];
  const ports = [7401, 7403, 7410, 7411];
  for (const address of clouds) run('ip', '-n', hub, 'address', 'add', `${address}/32`, 'dev', 'br0');
  await Promise.all(ports.map(async port => await startServer(cluster, `/run/netns/${hub}`, 'controller', port)));
  await Promise.all([...clouds.map(address => [address, 80] as const), ...ports.map(port => ['10.161.0.254', port] as const)].map(async ([host, port]) => {
    t.regex(await fromThree.ask(host, port), /^(?:metadata|controller) 10\.161\.0\.3$/, `a node reaches ${host}:${String(port)}`);
    t.is(await fromTwo.askInVain(host, port), 'TIMEOUT', `a task does not reach ${host}:${String(port)}`);
  }));
  await startServer(cluster, `/run/netns/${hub}`, 'beside', 8096);
  t.is(await fromTwo.ask('10.161.0.254', 8096), 'beside 10.161.0.2', 'its other ports stay open');
}

withNodes(`before the first endpoint set tasks of different Apps do not reach each other, and the table that says so is put back (${NEEDS})`, async t => {
  await using cluster = new NodeCluster(1);
  await cluster.start();
  const [node] = cluster.nodes;
  const [mine, other] = [await node!.call<NetworkSlot>('acquire'), await node!.call<NetworkSlot>('acquire')];
  await startServer(cluster, mine.networkNamespacePath, 'mine', 80);
  const fromOther = new TestClient(cluster, other.networkNamespacePath);
  t.is(await fromOther.askInVain(mine.address, 80), 'TIMEOUT', 'nobody knows of which App they are');
  await node!.call('admit', { address: mine.address, namespace: 'prod', app: 'shop' });
  await node!.call('admit', { address: other.address, namespace: 'prod', app: 'blog' });
  t.is(await fromOther.askInVain(mine.address, 80), 'TIMEOUT');
  node!.run('nft', 'delete', 'table', 'ip', 'gantry-n1-services');
  t.deepEqual(await node!.call('audit'), ['nft table gantry-n1-services']);
  t.is(await fromOther.askInVain(mine.address, 80), 'TIMEOUT');
  await node!.call('admit', { address: other.address, namespace: 'prod', app: 'shop' });
  t.is(await fromOther.ask(mine.address, 80), `mine ${other.address}`, 'of one App they do');

  await node!.kill();
  node!.start();
  await node!.call('setUp', node!.subnetIndex);
  t.is(await fromOther.ask(mine.address, 80), `mine ${other.address}`, 'what was in force stays until the first set of the next agent');
  node!.run('nft', 'delete', 'table', 'ip', 'gantry-n1-services');
  t.deepEqual(await node!.call('audit'), ['nft table gantry-n1-services'], 'also before its first set');
  t.is(await fromOther.askInVain(mine.address, 80), 'TIMEOUT');
});

withNodes(`100 applies about other services fail no connection, nor does a restart of the agent (${NEEDS})`, async t => {
  await using cluster = new NodeCluster(2);
  await cluster.start();
  const [one, two] = cluster.nodes;
  const web = await two!.call<NetworkSlot>('acquire');
  const user = await one!.call<NetworkSlot>('acquire');
  await startServer(cluster, web.networkNamespacePath, 'web', 8080);
  const set = (round: number): EndpointSet => endpointSet([
    endpointService('web', WEB, [port(8080, { published: 80 })], [`n2/${web.address}`]),
    endpointService('user', DB, [], [`n1/${user.address}`]),
    ...Array.from({ length: 1 + round % 5 }, (_, index) => endpointService(`s${String(index)}`, `10.160.1.${String(1 + index)}`, [port(80, { published: 1000 + index + round % 7 })], [`n1/10.128.1.${String(100 + round % 3)}`, `${round % 2 === 0 ? '!' : ''}n2/10.128.2.9`])),
  ]);
  await everywhere(cluster, set(0));
  const client = new TestClient(cluster, user.networkNamespacePath);
  const answers: string[] = [];
  const done = new AbortController();
  const asking = (async () => {
    while (!done.signal.aborted) {
      answers.push(await client.ask(WEB, 80));
    }
  })();
  for (let round = 1; round <= 100; round += 1) {
    await one!.call('apply', set(round));
  }
  await one!.kill();
  one!.start();
  await one!.call('setUp', one!.subnetIndex);
  t.true(await one!.call('adopt', user));
  await one!.call('setPeers', cluster.peers());
  await one!.call('apply', set(3));
  const before = answers.length;
  await eventually('connections after the restart', () => answers.length > before + 20 ? true : undefined);
  done.abort();
  await asking;
  t.true(answers.length > 100);
  t.deepEqual(answers.filter(answer => answer !== `web ${user.address}`), []);
});

withNodes(`a moved endpoint gets the next connection, and the rules do not depend on the way to them (${NEEDS})`, async t => {
  await using cluster = new NodeCluster(1);
  await cluster.start();
  const [node] = cluster.nodes;
  const [first, second] = [await node!.call<NetworkSlot>('acquire'), await node!.call<NetworkSlot>('acquire')];
  await Promise.all([startServer(cluster, first.networkNamespacePath, 'first', 80), startServer(cluster, second.networkNamespacePath, 'second', 80)]);
  const sets = [
    endpointSet([endpointService('web', WEB, [port(80)], [`n1/${first.address}`])]),
    endpointSet([endpointService('web', WEB, [port(80, { published: 80 }), port(81, { protocol: 'udp' })], [`n1/${first.address}`, `n1/${second.address}`]), endpointService('x', DB, [port(1)], ['n2/10.128.2.2'], { app: 'y' })]),
    endpointSet([endpointService('web', WEB, [port(80, { published: 81, allowFrom: ['10.0.0.0/8'] })], [`!n1/${first.address}`, `n1/${second.address}`])]),
    endpointSet([]),
    endpointSet([endpointService('web', DB, [port(80)], [`n1/${second.address}`], { app: 'z' })]),
  ];
  const list = (): string => node!.run('nft', '-s', 'list', 'table', 'ip', 'gantry-n1-services').split('\n').sort().join('\n');
  const want: string[] = [];
  for (const set of sets) {
    await node!.kill();
    node!.start();
    await node!.call('setUp', node!.subnetIndex);
    await node!.call('apply', set);
    want.push(list());
  }
  for (const index of [0, 1, 2, 3, 4, 2, 0, 4, 1, 3, 0, 2, 4, 3, 1, 0]) {
    await node!.call('apply', sets[index]!);
    t.is(list(), want[index]!);
  }
  t.deepEqual(await node!.call('audit'), []);
  node!.run('nft', 'flush', 'table', 'ip', 'gantry-n1-services');
  t.deepEqual(await node!.call('audit'), ['nft table gantry-n1-services']);
  t.is(list(), want[0]!);
  const client = new TestClient(cluster, `/run/netns/${node!.netns}`);
  t.regex(await client.ask(WEB, 80), /^first /);
  await node!.call('apply', sets[2]);
  t.regex(await client.ask(WEB, 80), /^second /);
});

withNodes(`a connection that no endpoint answered does not lead the next one from its port astray once that endpoint ended (${NEEDS})`, async t => {
  await using cluster = new NodeCluster(1);
  await cluster.start();
  const [node] = cluster.nodes;
  const [web, user] = [await node!.call<NetworkSlot>('acquire'), await node!.call<NetworkSlot>('acquire')];
  await startServer(cluster, web.networkNamespacePath, 'web', 80);
  const client = new TestClient(cluster, user.networkNamespacePath);
  const at = (...endpoints: string[]): EndpointSet => endpointSet([endpointService('web', WEB, [port(80)], endpoints), endpointService('user', DB, [], [`n1/${user.address}`])]);
  const [clientPort, another] = [40_000, 40_001];
  await node!.call('apply', at('n1/10.128.1.200'));
  await node!.call('audit');
  t.notRegex(await client.askInVain(WEB, 80, clientPort), /^web /, 'nobody has that address');
  await node!.call('apply', at(`n1/${web.address}`));
  t.is(await client.ask(WEB, 80, 'tcp', another), `web ${user.address}`, 'from another port it gets there');
  t.notRegex(await client.askInVain(WEB, 80, clientPort), /^web /, 'the kernel sends it after the one before');
  t.deepEqual(await node!.call('audit'), []);
  t.is(await client.ask(WEB, 80, 'tcp', clientPort), `web ${user.address}`);
});

/** Holds a connection open, writes a line each tenth of a second, and prints what becomes of it. */
const HOLDER = (host: string): string => `
  import net from 'node:net';
  const socket = net.connect({ host: ${JSON.stringify(host)}, port: 80 }, () => { console.log('connected'); setInterval(() => socket.write('x\\n'), 100); });
  socket.on('error', error => console.log(error.code)).on('close', () => { console.log('closed'); process.exit(0); }).resume();`;
const LISTENER = `import net from 'node:net'; net.createServer(socket => socket.on('error', () => {}).resume()).listen(80, '0.0.0.0', () => console.log('ready'));`;

withNodes(`connections to an endpoint of a node that is not heard end, those to others stay; one that still waits for an answer gets it from another (${NEEDS})`, async t => {
  await using cluster = new NodeCluster(2);
  await cluster.start();
  const [one, two] = cluster.nodes;
  const [web, user, far] = [await one!.call<NetworkSlot>('acquire'), await one!.call<NetworkSlot>('acquire'), await two!.call<NetworkSlot>('acquire')];
  const said = async (lines: readonly string[], word: string): Promise<void> => { await eventually(`${word} after ${lines.join()}`, () => lines.includes(word) ? true : undefined); };
  for (const { networkNamespacePath } of [web, far]) await said(cluster.startIn(networkNamespacePath, LISTENER).lines, 'ready');
  await startServer(cluster, web.networkNamespacePath, 'spare', 81);
  const at = (...endpoints: string[]): EndpointSet => endpointSet([
    endpointService('web', WEB, [port(80)], endpoints), endpointService('user', DB, [], [`n1/${user.address}`]),
    endpointService('near', OTHER, [port(80)], [`n1/${web.address}`]),
    endpointService('gone', '10.160.0.4', [port(81)], endpoints.map(each => each.replace(far.address, '10.128.2.200'))),
  ]);
  await everywhere(cluster, at(`n2/${far.address}`));
  const [held, kept] = [cluster.startIn(user.networkNamespacePath, HOLDER(WEB)).lines, cluster.startIn(user.networkNamespacePath, HOLDER(OTHER)).lines];
  await said(held, 'connected');
  await said(kept, 'connected');
  const waiting = new TestClient(cluster, user.networkNamespacePath).ask('10.160.0.4', 81);
  await one!.call('apply', at(`!n2/${far.address}`, `n1/${web.address}`));
  await said(held, 'closed');
  t.deepEqual(held, ['connected', 'ECONNRESET', 'closed']);
  t.is(await waiting, `spare ${user.address}`);
  t.deepEqual(kept, ['connected']);
});
