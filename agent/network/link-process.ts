import { runCommand, requireCommand } from '#kit/command-process.ts';
import type { NetworkPlan, ObservedLink, ObservedNetwork } from './network-plan.ts';
import { runTool } from '../runtime/tool-process.ts';
import type { NetworkNames } from './link-names.ts';

const PROGRAMS = { ip: '/usr/bin/ip', bridge: '/usr/sbin/bridge' } as const;
const READ_LIMIT_MS = 30_000;
const MAX_READS = 20;
/** What iproute2 writes on stderr, with exit code 0. Source: iproute2, lib/libnetlink.c */
const INTERRUPTED = 'Dump was interrupted';

/** The part of iproute2's JSON that is read. Source: ip-link(8), ip-route(8), ip-neighbour(8), bridge(8) with -json. */
interface LinkJson {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address?: string;
  readonly addr_info?: readonly { readonly family: string; readonly local: string; readonly prefixlen: number }[];
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: { readonly id?: number; readonly port?: number; readonly local?: string } };
}
interface RouteJson { readonly dst: string; readonly gateway?: string; readonly dev: string }
interface NeighbourJson { readonly dst: string; readonly lladdr?: string; readonly dev: string; readonly state: readonly string[] }
interface ForwardingJson { readonly mac: string; readonly dst?: string }

/** Runs the lines as one `ip -batch`. @throws Error with ip's own words */
async function runLinkBatch(lines: readonly string[]): Promise<void> {
  if (lines.length > 0) {
    await requireCommand('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` });
  }
}

export async function applyNetworkPlan(plan: NetworkPlan): Promise<void> {
  await runLinkBatch(plan.ipLines);
  if (plan.bridgeLines.length > 0) {
    await requireCommand('bridge', ['-batch', '-'], { input: `${plan.bridgeLines.join('\n')}\n` });
  }
}

/** Deletes a link; one that is not there is fine. */
export async function deleteLink(name: string): Promise<void> {
  const outcome = await runCommand('ip', ['link', 'del', name]);
  if (outcome.exitCode !== 0 && !outcome.stderr.includes('Cannot find device')) {
    throw new Error(`ip link del ${name}: ${outcome.stderr.trim()}`);
  }
}

/** Names of all links of this network namespace. */
export async function listLinkNames(): Promise<readonly string[]> {
  return (await readJson<{ readonly ifname: string }>('ip', ['link', 'show'])).map(link => link.ifname);
}

/** MTU of the link that has `address`; undefined when none has. */
export async function mtuOfAddress(address: string): Promise<number | undefined> {
  const links = await readJson<LinkJson>('ip', ['address', 'show', 'to', `${address}/32`]);
  return links.find(link => typeof link.mtu === 'number')?.mtu;
}

/** What the kernel has of the node's bridge and vxlan. */
export async function observeNetwork(names: NetworkNames): Promise<ObservedNetwork> {
  const links = new Map((await readJson<LinkJson>('ip', ['-d', 'address', 'show']))
    .filter(link => link.ifname === names.bridge || link.ifname === names.vxlan)
    .map(link => [link.ifname, observedLink(link)]));
  const onVxlan = links.has(names.vxlan) ? ['dev', names.vxlan] : undefined;
  const vxlanRoutes = onVxlan === undefined ? [] : await readJson<RouteJson>('ip', ['route', 'show', ...onVxlan]);
  const neighbours = onVxlan === undefined ? [] : await readJson<NeighbourJson>('ip', ['neighbour', 'show', 'nud', 'permanent', ...onVxlan]);
  const forwarding = onVxlan === undefined ? [] : await readJson<ForwardingJson>('bridge', ['fdb', 'show', ...onVxlan]);
  const bridgeRoutes = links.has(names.bridge) ? await readJson<RouteJson>('ip', ['route', 'show', 'dev', names.bridge]) : [];
  return {
    links,
    vxlanRoutes: new Set(vxlanRoutes.filter(route => route.gateway !== undefined).map(route => `${route.dst} via ${route.gateway ?? ''}`)),
    bridgeRoutes: new Set(bridgeRoutes.map(route => route.dst)),
    neighbours: new Set(neighbours.map(entry => `${entry.dst} ${entry.lladdr ?? ''}`)),
    forwarding: new Set(forwarding.filter(entry => entry.dst !== undefined).map(entry => `${entry.mac} ${entry.dst ?? ''}`)),
  };
}

function observedLink(link: LinkJson): ObservedLink {
  const { info_kind: kind, info_data: vxlan } = link.linkinfo ?? {};
  return {
    isUp: link.flags.includes('UP'),
    mtuBytes: link.mtu,
    mac: link.address ?? '',
    addresses: (link.addr_info ?? []).filter(entry => entry.family === 'inet').map(entry => `${entry.local}/${String(entry.prefixlen)}`),
    ...(kind === 'vxlan' && vxlan !== undefined ? { vxlanKey: `${String(vxlan.id)} ${String(vxlan.port)} ${vxlan.local ?? ''}` } : {}),
  };
}

/** The audit asks every few seconds, so without a fork of the agent. @throws Error with the program's own words */
async function readJson<Entry>(program: 'ip' | 'bridge', args: readonly string[]): Promise<readonly Entry[]> {
  const text = await readWhole(program, ['-json', ...args]);
  const entries = text.trim() === '' ? [] : JSON.parse(text) as readonly Entry[];
  // iproute2 prints an empty object for what a filter hides.
  return entries.filter(entry => Object.keys(entry as object).length > 0);
}

/** A list that changed while the kernel gave it out may lack entries, so it is read again. Source: NLM_F_DUMP_INTR, include/uapi/linux/netlink.h */
async function readWhole(program: 'ip' | 'bridge', args: readonly string[]): Promise<string> {
  for (let reads = 0; reads < MAX_READS; reads += 1) {
    const { code, output } = await runTool(PROGRAMS[program], args, READ_LIMIT_MS);
    if (output.includes(INTERRUPTED)) continue;
    if (code !== 0) throw new Error(`${program} ${args.join(' ')}: exit ${String(code)}: ${output}`);
    return output;
  }
  throw new Error(`${program} ${args.join(' ')}: the list changed each of the ${String(MAX_READS)} times it was read`);
}
