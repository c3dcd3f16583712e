import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { isIpv4Address, VIRTUAL_IP_RANGE, VXLAN_OVERHEAD_BYTES } from '#model/addressing.ts';
import type { PeerNode } from '#model/endpoints.ts';
import { ClusterError } from '#model/errors.ts';
import type { Logger } from '#kit/logger.ts';
import { baseRuleset, removeTables } from './base-ruleset.ts';
import { networkNames } from './link-names.ts';
import type { NetworkNames } from './link-names.ts';
import { applyNetworkPlan, deleteLink, listLinkNames, mtuOfAddress, observeNetwork } from './link-process.ts';
import { peerAddresses, planNetwork } from './network-plan.ts';
import type { DesiredNetwork } from './network-plan.ts';
import { resolveEndpoints } from './name-client.ts';
import { applyNft, listNftTable } from './nft-process.ts';
import type { SlotSite } from './network-slot-flow.ts';
import type { NetworkSlot, NodeNetwork } from './ports.ts';
import { ensureSetting, ensureSettingIfPresent } from './setting-fs.ts';
import { SlotPool } from './slot-pool-flow.ts';

export interface NodeNetworkOptions {
  /** Prefix of links and tables, at most 11 characters: keeps agents in one network namespace apart. */
  readonly scope: string;
  /** Directory for files that do not outlive a boot. */
  readonly runDir: string;
  readonly underlayAddress: string;
  /** First host id of user namespaces; slot k has 65,536 ids from here + 65,536 k. */
  readonly userNamespaceBase: number;
  /** Ready slots to keep. */
  readonly poolSize: number;
  /** Resolves when no task waits for the processor: then ready slots are made. Absent: at any time. */
  readonly quiet?: () => Promise<void>;
  readonly vxlanId: number;
  readonly vxlanPort: number;
  /** TCP ports of Gantry's own processes, as numbers and ranges. */
  readonly managementPorts: readonly string[];
  /** Links of other software whose traffic this machine forwards as well, such as `docker0` or `br-*`. */
  readonly forwardLinks: readonly string[];
}

/** The node's network in the Linux kernel: bridge, vxlan, base rules, slots. */
export class KernelNetwork implements NodeNetwork {
  readonly #options: NodeNetworkOptions;
  readonly #names: NetworkNames;
  readonly #log: Logger;
  #peers: readonly PeerNode[] | undefined;
  /** Those that the last repair on their account brought into force; absent: to be done again. */
  #peersInForce: readonly PeerNode[] | undefined;
  #ready: { readonly site: SlotSite; readonly pool: SlotPool } | undefined;
  /** Links and rules were made once: only then slots are. */
  #isUp = false;
  #mtuBytes = 0;
  /** `IPV4:PORT` of controllers and NATS, sorted. */
  #managers: readonly string[] = [];
  #rulesWanted = '';
  /** What nft printed after our own load; another text means that somebody else wrote. */
  #rulesInForce = '';
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: NodeNetworkOptions, log: Logger) {
    this.#options = options;
    this.#names = networkNames(options.scope);
    this.#log = log;
  }

  async setManagers(endpoints: readonly string[]): Promise<void> {
    const managers = await resolveEndpoints(endpoints, this.#log);
    if (isDeepStrictEqual(managers, this.#managers)) return;
    this.#managers = managers;
    const site = this.#ready?.site;
    if (site === undefined || !this.#isUp) return;
    // What does not work here is the next audit's to do: it is no reason to end the session that brought the names.
    await this.#serially(() => this.#repair(site)).catch((error: unknown) => { this.#log.warn({ err: error }, 'rules for controllers are not in force; again at the next audit'); });
  }

  async setUp(subnetIndex: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#ready !== undefined && this.#ready.site.subnetIndex !== subnetIndex) {
      throw new ClusterError('FAILED_PRECONDITION', `the node's subnet is ${String(this.#ready.site.subnetIndex)} and cannot become ${String(subnetIndex)} while the agent runs`);
    }
    // First: slots of an earlier agent are taken back and taken away also where links cannot be made.
    const { site } = this.#ready ??= this.#open(subnetIndex);
    const underlayMtuBytes = await mtuOfAddress(this.#options.underlayAddress);
    if (underlayMtuBytes === undefined) {
      throw new ClusterError('FAILED_PRECONDITION', `no link of this machine has the underlay address ${this.#options.underlayAddress}`);
    }
    this.#mtuBytes = underlayMtuBytes - VXLAN_OVERHEAD_BYTES;
    await this.#serially(() => this.#repair(site));
    this.#isUp = true;
  }

  #open(subnetIndex: number): { readonly site: SlotSite; readonly pool: SlotPool } {
    const mtu = (): number => this.#mtuBytes;
    const site: SlotSite = {
      names: this.#names,
      slotsDir: path.join(this.#options.runDir, 'slots'),
      subnetIndex,
      get mtuBytes() { return mtu(); },
      userNamespaceBase: this.#options.userNamespaceBase,
    };
    const quiet = async (): Promise<void> => {
      this.#requireUp();
      await this.#options.quiet?.();
    };
    const pool = new SlotPool(site, { size: this.#options.poolSize, newSuffix: () => randomBytes(4).toString('hex'), quiet }, this.#log);
    pool.open();
    return { site, pool };
  }

  async acquire(signal: AbortSignal): Promise<NetworkSlot> {
    signal.throwIfAborted();
    const { pool } = this.#require();
    this.#requireUp();
    return await pool.acquire();
  }

  async release(slotId: string): Promise<void> {
    await this.#require().pool.release(slotId);
  }

  async adopt(slot: NetworkSlot): Promise<boolean> {
    return await this.#require().pool.adopt(slot.id);
  }

  async sweep(keep: ReadonlySet<string>): Promise<void> {
    await this.#require().pool.sweep(keep);
  }

  async setPeers(peers: readonly PeerNode[]): Promise<void> {
    const { site } = this.#require();
    // What nodes report as their address goes into commands here.
    const wanted = peers.filter(peer => peer.subnetIndex !== site.subnetIndex && isIpv4Address(peer.address));
    await this.#serially(async () => {
      // Each change of an endpoint comes by here; whether the machine still is as it was made is the audit's to look.
      if (isDeepStrictEqual(wanted, this.#peersInForce)) return;
      this.#peersInForce = undefined;
      this.#peers = wanted;
      this.#requireUp();
      await this.#repair(site);
      this.#peersInForce = wanted;
    });
  }

  async audit(): Promise<readonly string[]> {
    const { site, pool } = this.#require();
    this.#requireUp();
    const repaired = await this.#serially(() => this.#repair(site));
    return [...repaired, ...await pool.repair(new Set(await listLinkNames()))];
  }

  async clearAway(): Promise<void> {
    await this.#require().pool.clearAway();
  }

  async tearDown(): Promise<void> {
    const pool = this.#ready?.pool;
    this.#ready = undefined;
    this.#isUp = false;
    await pool?.close();
    if (pool === undefined) {
      await this.#removeStrangers();
    }
    await applyNft(removeTables(this.#names));
    await deleteLink(this.#names.vxlan);
    await deleteLink(this.#names.bridge);
  }

  /** Slots and links of an agent that did not live to take them away. */
  async #removeStrangers(): Promise<void> {
    const site: SlotSite = { names: this.#names, slotsDir: path.join(this.#options.runDir, 'slots'), subnetIndex: 0, mtuBytes: 0, userNamespaceBase: 0 };
    await new SlotPool(site, { size: 0, newSuffix: () => '', quiet: () => Promise.resolve() }, this.#log).close();
    for (const name of await listLinkNames()) {
      if (name.startsWith(this.#names.taskLinkPrefix)) {
        await deleteLink(name);
      }
    }
  }

  /** Makes settings, links and base rules equal what is wanted; says what it changed. */
  async #repair(site: SlotSite): Promise<readonly string[]> {
    const desired = this.#desired(site);
    const observed = await observeNetwork(this.#names);
    // First, since what they close must be closed when forwarding is on and the links are up.
    const rules = baseRuleset({ ...desired, ...this.#options, peerAddresses: peerAddresses(desired, observed), managers: this.#managers });
    const changed = await this.#ensureRules(rules) ? [`nft table ${this.#names.baseTable}`] : [];
    const plan = planNetwork(desired, observed);
    await applyNetworkPlan(plan);
    changed.push(...plan.ipLines, ...plan.bridgeLines);
    for (const [name, value] of requiredSettings(this.#names)) {
      if (ensureSetting(name, value)) {
        changed.push(`${name.replaceAll('/', '.')}=${value}`);
      }
    }
    if (ensureSettingIfPresent('net/bridge/bridge-nf-call-iptables', '0')) {
      changed.push('net.bridge.bridge-nf-call-iptables=0');
    }
    return changed;
  }

  async #ensureRules(rules: string): Promise<boolean> {
    if (this.#rulesWanted === rules && await this.#listRules() === this.#rulesInForce) {
      return false;
    }
    await applyNft(rules);
    this.#rulesWanted = rules;
    this.#rulesInForce = await this.#listRules();
    return true;
  }

  async #listRules(): Promise<string> {
    return [await listNftTable('ip', this.#names.baseTable), await listNftTable('bridge', this.#names.baseTable)].join('\n');
  }

  #desired(site: SlotSite): DesiredNetwork {
    return {
      names: this.#names,
      subnetIndex: site.subnetIndex,
      underlayAddress: this.#options.underlayAddress,
      mtuBytes: site.mtuBytes,
      vxlanId: this.#options.vxlanId,
      vxlanPort: this.#options.vxlanPort,
      ...(this.#peers === undefined ? {} : { peers: this.#peers }),
      virtualIpRange: VIRTUAL_IP_RANGE,
    };
  }

  #requireUp(): void {
    if (!this.#isUp) throw new ClusterError('UNAVAILABLE', 'the network of the node is not there yet');
  }

  #require(): { readonly site: SlotSite; readonly pool: SlotPool } {
    if (this.#ready === undefined) {
      throw new ClusterError('UNAVAILABLE', 'the node has no subnet yet');
    }
    return this.#ready;
  }

  /** Repairs never overlap: two plans from one observation would do things twice. */
  #serially<Result>(work: () => Promise<Result>): Promise<Result> {
    const next = this.#last.then(work);
    this.#last = next.catch(() => undefined);
    return next;
  }
}

/** Source: Documentation/networking/ip-sysctl.rst. Redirects would tell tasks of a shorter way that the rules do not see. */
function requiredSettings(names: NetworkNames): readonly (readonly [string, string])[] {
  return [
    ['net/ipv4/ip_forward', '1'],
    ['net/ipv4/conf/all/send_redirects', '0'],
    [`net/ipv4/conf/${names.bridge}/send_redirects`, '0'],
    [`net/ipv4/conf/${names.bridge}/rp_filter`, '1'],
    [`net/ipv6/conf/${names.bridge}/accept_ra`, '0'],
    [`net/ipv6/conf/${names.bridge}/disable_ipv6`, '1'],
    [`net/ipv6/conf/${names.vxlan}/disable_ipv6`, '1'],
  ];
}
