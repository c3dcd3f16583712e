import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { DnsPeers } from '../support/dns-peers.ts';
import { endpointService, endpointSet, port } from '../support/endpoint-sets.ts';
import { eventually, leftOf, NodeCluster, whyNoNamespaces } from '../support/node-namespaces.ts';
import type { NetworkSlot } from '../../agent/network/ports.ts';

const hasDnsmasq = spawnSync('which', ['dnsmasq']).status === 0;
const why = whyNoNamespaces() ?? (hasDnsmasq ? undefined : 'needs dnsmasq');
const withNodes = why === undefined ? test.serial : test.serial.skip;
const NEEDS = why ?? 'root, network namespaces, dnsmasq';
const GATEWAY = '10.128.1.1';

const RESOLVE = `
  import { Resolver } from 'node:dns/promises'; import { createInterface } from 'node:readline';
  const resolver = new Resolver({ timeout: 10_000, tries: 1 }); resolver.setServers(['${GATEWAY}']);
  createInterface({ input: process.stdin }).on('line', async line => {
    console.log(await resolver.resolve(...line.split(' ')).then(all => all.sort().join(' '), error => error.code));
  });`;

/** Empty once the process ended. Source: proc_pid_cmdline(5) */
function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

withNodes(`names of services and tasks are answered to tasks, follow the endpoints, and outlive the agent (${NEEDS})`, async t => {
  const cluster = new NodeCluster(1);
  {
    await using _open = cluster;
    await cluster.start();
    const [node] = cluster.nodes;
    const slot = await node!.call<NetworkSlot>('acquire');
    const sets = [
      endpointSet([
        endpointService('web', '10.160.0.1', [port(80)], ['n1/10.128.1.7', 'n2/10.128.2.8', '!n2/10.128.2.9']),
        endpointService('db', '10.160.0.2', [], ['n1/10.128.1.3', '!n2/10.128.2.4'], { kind: 'stateful' }),
      ]),
      endpointSet([endpointService('web', '10.160.0.1', [port(80)], ['n1/10.128.1.7'])]),
    ];
    await node!.call('ensureDns', GATEWAY);
    await node!.call('applyDns', sets[0]);
    const { child, lines } = cluster.startIn(slot.networkNamespacePath, RESOLVE);
    const ask = async (name: string, type = 'A'): Promise<string> => {
      const before = lines.length;
      child.stdin?.write(`${name} ${type}\n`);
      return await eventually(name, () => lines[before]);
    };
    const becomes = (name: string, want: string): Promise<boolean> => eventually(`${name} is ${want}`, async () => await ask(name) === want ? true : undefined);
    t.true(await becomes('web.shop.prod.gantry.internal', '10.160.0.1'));
    t.true(await becomes('tasks.web.shop.prod.gantry.internal', '10.128.1.7 10.128.2.8'));
    t.true(await becomes('db-1.db.shop.prod.gantry.internal', '10.128.2.4'), 'an ordinal is there before it is healthy');
    t.is(await ask('web.shop.prod.gantry.internal', 'AAAA'), 'ENODATA');
    t.is(await ask('nothing.shop.prod.gantry.internal'), 'ENOTFOUND');
    t.is(await ask('example.com'), 'EREFUSED', 'a closed machine does not hang');

    const pid = readFileSync(path.join(node!.runDir, 'dns/dnsmasq.pid'), 'utf8');
    await node!.kill();
    t.is(await ask('web.shop.prod.gantry.internal'), '10.160.0.1');
    node!.start();
    await node!.call('setUp', 1);
    await node!.call('adopt', slot);
    await node!.call('ensureDns', GATEWAY);
    t.is(readFileSync(path.join(node!.runDir, 'dns/dnsmasq.pid'), 'utf8'), pid);
    await node!.call('applyDns', sets[1]);
    t.true(await becomes('tasks.web.shop.prod.gantry.internal', '10.128.1.7'));
    t.true(await becomes('db.shop.prod.gantry.internal', 'ENOTFOUND'));
    process.kill(Number(pid), 'SIGKILL');
    await eventually('its end', () => commandOf(pid.trim()) === '' ? true : undefined);
    t.deepEqual(await node!.call('auditDns'), ['name server']);
    t.is(await ask('web.shop.prod.gantry.internal'), '10.160.0.1', 'a dead server is started again');
    t.deepEqual(await node!.call('auditDns'), []);
    process.kill(Number(readFileSync(path.join(node!.runDir, 'dns/dnsmasq.pid'), 'utf8')), 'SIGSTOP');
    t.deepEqual(await node!.call('auditDns'), [], 'once silent is no proof');
    t.deepEqual(await node!.call('auditDns'), ['name server']);
    t.is(await ask('web.shop.prod.gantry.internal'), '10.160.0.1', 'so is one that stands still');
  }
  t.deepEqual(await leftOf(cluster), []);
});

/** What a machine that is busy with other tests adds to an answer; a query that is lost takes 5 s. */
const FLOOR_MS = 500;

withNodes(`a task that floods the name server is answered 1,000 queries a second, and its neighbour as before (${NEEDS})`, async t => {
  const cluster = new NodeCluster(1);
  {
    await using _open = cluster;
    await cluster.start();
    const [node] = cluster.nodes;
    const [hostile, neighbour] = [(await node!.call<NetworkSlot>('acquire')).networkNamespacePath, (await node!.call<NetworkSlot>('acquire')).networkNamespacePath];
    await node!.call('ensureDns', GATEWAY);
    await node!.call('applyDns', endpointSet([endpointService('web', '10.160.0.1', [port(80)], ['n1/10.128.1.7'])]));
    const peers = new DnsPeers(cluster, GATEWAY, 'web.shop.prod.gantry.internal');
    const quietMs = await peers.p99Ms(neighbour, 300);
    const limitMs = Math.max(2 * quietMs, FLOOR_MS);

    const [udp, besideUdpMs] = await Promise.all([peers.floodUdp(hostile, 20_000), peers.p99Ms(neighbour, 300)]);
    t.log(`udp: ${String(udp.answered)} of ${String(udp.sent)} answered in ${udp.elapsedMs.toFixed(0)} ms; the neighbour's p99 ${besideUdpMs.toFixed(1)} ms, quiet ${quietMs.toFixed(1)} ms`);
    t.true(udp.answered <= udp.elapsedMs + 300, `${String(udp.answered)} in ${String(udp.elapsedMs)} ms`);
    t.true(besideUdpMs <= limitMs, `${String(besideUdpMs)} ms, quiet ${String(quietMs)}`);

    const [tcp, besideTcpMs] = await Promise.all([peers.floodTcp(hostile, 4_000), peers.p99Ms(neighbour, 300)]);
    t.log(`tcp: ${String(tcp.answered)} of ${String(tcp.sent)} answered in ${tcp.elapsedMs.toFixed(0)} ms; the neighbour's p99 ${besideTcpMs.toFixed(1)} ms`);
    t.true(tcp.answered > 0);
    t.true(tcp.answered <= (tcp.elapsedMs + 1_000) * 65.536 / 49, '64 KiB a second of queries of 49 bytes');
    t.true(besideTcpMs <= limitMs, `${String(besideTcpMs)} ms, quiet ${String(quietMs)}`);

    t.deepEqual(await node!.call('audit'), [], 'used limits are no change of the rules');
  }
  t.deepEqual(await leftOf(cluster), []);
});
