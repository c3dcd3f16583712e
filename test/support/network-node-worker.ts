/** One node's network in a process of its own, since a network namespace is entered by a process. Calls come as JSON lines on stdin, answers go to stdout. */
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { systemClock } from '#kit/clock.ts';
import { createLogger } from '#kit/logger.ts';
import type { EndpointSet, PeerNode } from '#model/endpoints.ts';
import { parseNodeId } from '#model/ids.ts';
import { DnsmasqNodeDns } from '../../agent/dns/node-dns-flow.ts';
import { KernelNetwork } from '../../agent/network/network-flow.ts';
import { networkNames } from '../../agent/network/link-names.ts';
import type { NetworkSlot } from '../../agent/network/ports.ts';
import { NftServiceProxy } from '../../agent/proxy/service-proxy-flow.ts';
import { takeDescriptors } from './taken-descriptors.ts';

interface Settings {
  readonly name: string;
  readonly scope: string;
  readonly runDir: string;
  readonly underlayAddress: string;
  readonly poolSize: number;
  readonly userNamespaceBase: number;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as Settings;
const log = createLogger(settings.name, 'warn');
const names = networkNames(settings.scope);
const network = new KernelNetwork({ ...settings, runDir: path.join(settings.runDir, 'network'), vxlanId: 7400, vxlanPort: 4789, managementPorts: ['7400-7403', '7410-7412'], forwardLinks: [] }, log);
const proxy = new NftServiceProxy({ node: parseNodeId(settings.name), table: names.proxyTable, bridge: names.bridge }, log, systemClock);
const dns = new DnsmasqNodeDns({ directory: path.join(settings.runDir, 'dns'), upstreams: [] }, systemClock);
/** Of a controller, which is where the test's hub is. */
const MANAGERS = ['10.161.0.254:7400'];
const never = new AbortController().signal;

const CALLS: Readonly<Record<string, (argument: unknown) => Promise<unknown>>> = {
  setUp: async argument => {
    await network.setManagers(MANAGERS);
    await network.setUp(argument as number, never);
    await proxy.setUp();
  },
  acquire: () => network.acquire(never),
  acquireWithDescriptors: async argument => {
    const { free, times } = argument as { readonly free: number; readonly times: number };
    const slots: NetworkSlot[] = [];
    {
      using _taken = takeDescriptors(free);
      for (let time = 0; time < times; time += 1) await network.acquire(never).then(slot => slots.push(slot), () => undefined);
    }
    for (const slot of slots) await network.release(slot.id);
  },
  descriptors: () => Promise.resolve(readdirSync('/proc/self/fd').length),
  release: argument => network.release(argument as string),
  adopt: argument => network.adopt(argument as NetworkSlot),
  sweep: argument => network.sweep(new Set(argument as readonly string[])),
  setPeers: argument => network.setPeers(argument as readonly PeerNode[]),
  clearAway: async () => { await network.clearAway(); return []; },
  audit: async () => [...await network.audit(), ...await proxy.audit()],
  auditDns: () => dns.audit(never),
  ensureDns: argument => dns.ensureRunning(argument as string, never),
  applyDns: argument => dns.apply(argument as EndpointSet),
  tearDown: async () => {
    await dns.tearDown();
    await network.tearDown();
  },
  apply: argument => proxy.apply(argument as EndpointSet),
  admit: argument => {
    const task = argument as { readonly address: string; readonly namespace: string; readonly app: string };
    return proxy.admit(task.address, task);
  },
  dismiss: argument => proxy.dismiss(argument as string),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, call, argument } = JSON.parse(line) as { readonly id: number; readonly call: string; readonly argument: unknown };
  const work = CALLS[call];
  const answer = work === undefined ? Promise.reject(new Error(`no call ${call}`)) : work(argument);
  void answer.then(
    value => { process.stdout.write(`${JSON.stringify({ id, value: value ?? null })}\n`); },
    (error: unknown) => { process.stdout.write(`${JSON.stringify({ id, error: error instanceof Error ? error.message : String(error) })}\n`); },
  );
}
