import type { EndpointSet } from '#model/endpoints.ts';
import type { Logger } from '#kit/logger.ts';
import { applyNft, listNftRules } from '../network/nft-process.ts';
import { renderChange, renderTable } from './nft-table.ts';
import type { NftTable } from './nft-table.ts';
import { proxyTable } from './nftables-ruleset.ts';
import type { LocalTask, ProxySite } from './nftables-ruleset.ts';
import type { ServiceProxy } from './ports.ts';
import { endedUdpTargets } from './udp-targets.ts';
import { forgetUdpFlows } from './conntrack-process.ts';

const NOTHING: EndpointSet = { generation: 0, services: [], nodes: [] };

/**
 * The proxy in the kernel's nftables.
 *
 * The first apply of an agent replaces the whole table in one transaction; later ones change only what differs. What is in
 * force is remembered only after nft said so: a failed transaction changed nothing.
 */
export class NftServiceProxy implements ServiceProxy {
  readonly #site: ProxySite;
  readonly #log: Logger;
  readonly #admitted = new Map<string, LocalTask>();
  #set: EndpointSet = NOTHING;
  #inForce: { readonly table: NftTable; readonly set: EndpointSet } | undefined;
  /** What nft printed once the rules were in force; another text means that somebody else wrote. Elements of maps are not looked at. */
  #printed: string | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(site: ProxySite, log: Logger) {
    this.#site = site;
    this.#log = log;
  }

  async apply(set: EndpointSet): Promise<void> {
    await this.#serially(async () => {
      this.#set = set;
      await this.#enforce();
    });
  }

  async admit(address: string, app: { readonly namespace: string; readonly app: string }): Promise<void> {
    await this.#serially(async () => {
      this.#admitted.set(address, { address, namespace: app.namespace, app: app.app });
      // Before the first apply the whole table will come with it.
      if (this.#inForce !== undefined) {
        await this.#enforce();
      }
    });
  }

  async dismiss(address: string): Promise<void> {
    await this.#serially(async () => {
      if (this.#admitted.delete(address) && this.#inForce !== undefined) {
        await this.#enforce();
      }
    });
  }

  async audit(): Promise<readonly string[]> {
    return await this.#serially(async () => {
      if (this.#inForce === undefined) {
        return [];
      }
      const printed = await listNftRules('ip', this.#site.table);
      if (this.#printed === printed) {
        return [];
      }
      this.#inForce = undefined;
      await this.#enforce();
      return [`nft table ${this.#site.table}`];
    });
  }

  async #enforce(): Promise<void> {
    const table = proxyTable(this.#site, this.#set, [...this.#admitted.values()]);
    const before = this.#inForce;
    const text = before === undefined ? renderTable(table) : renderChange(before.table, table);
    if (text !== '') {
      // Whatever goes wrong here, the next try replaces the whole table: the kernel's may not be the one remembered.
      this.#inForce = undefined;
      await applyNft(text);
      this.#printed = await listNftRules('ip', this.#site.table);
    }
    this.#inForce = { table, set: this.#set };
    await forgetUdpFlows(endedUdpTargets(before?.set ?? NOTHING, this.#set), this.#log);
  }

  #serially<Result>(work: () => Promise<Result>): Promise<Result> {
    const next = this.#last.then(work);
    this.#last = next.catch(() => undefined);
    return next;
  }
}
