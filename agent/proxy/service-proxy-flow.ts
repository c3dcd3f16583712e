import type { EndpointSet } from '#model/endpoints.ts';
import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { FRESH_PACE, paceAfter } from '#kit/pace.ts';
import { applyNft, listNftRules } from '../network/nft-process.ts';
import { isSameFrame, renderChange, renderTable } from './nft-table.ts';
import type { NftTable } from './nft-table.ts';
import { endpointRules, withLocalTasks } from './nftables-ruleset.ts';
import type { EndpointRules, LocalTask, ProxySite } from './nftables-ruleset.ts';
import type { ServiceProxy } from './ports.ts';
import { endedUdpTargets, endedUnansweredTargets, hasEndedTargets, unheardTargets } from './ended-flows.ts';
import { forgetTcpFlows, forgetUdpFlows, forgetUnansweredFlows } from './conntrack-process.ts';

/**
 * A transaction costs the same for any change, so tasks that start or stop together share some.
 * Endpoints never wait.
 */
const ADMISSION_PACE = { quickCount: 4, intervalMs: 20, leastMs: 0 };
const NOTHING: EndpointSet = { generation: 0, services: [], nodes: [] };

/**
 * Implements the proxy with nftables.
 * The first apply of an agent replaces the whole table in one transaction; later ones change the
 * differences. The state in memory changes only after nft reported success: a failed transaction
 * changed nothing. Changes during a transaction, and admissions above their pace, share the next
 * one.
 */
export class NftServiceProxy implements ServiceProxy {
  readonly #site: ProxySite;
  readonly #log: Logger;
  readonly #clock: Clock;
  #pace = FRESH_PACE;
  #admissionAtMs = -Infinity;
  /** Aborted to start the next transaction at once. */
  #hurry = new AbortController();
  readonly #admitted = new Map<string, LocalTask>();
  /** Rules of the latest apply; undefined before the first one, which sends the whole table. */
  #wanted: { readonly rules: EndpointRules; readonly set: EndpointSet } | undefined;
  #inForce: { readonly table: NftTable; readonly set: EndpointSet } | undefined;
  /**
   * Output of nft when the rules came into force; another text means that another program changed
   * them. Elements of maps are not compared.
   */
  #printed: string | undefined;
  #printing: Promise<void> | undefined;
  /**
   * True if connections may wait for an endpoint that ended since the last audit; unknown at the
   * start of the agent.
   */
  #mayHaveUnanswered = true;
  #last: Promise<unknown> = Promise.resolve();
  /** Transaction that has not started: it includes all changes until then. */
  #next: Promise<void> | undefined;

  constructor(site: ProxySite, log: Logger, clock: Clock) {
    this.#site = site;
    this.#log = log;
    this.#clock = clock;
  }

  async setUp(): Promise<void> {
    await this.#serially(async () => await this.#closeIfOpen());
  }

  async apply(set: EndpointSet): Promise<void> {
    this.#wanted = { rules: endpointRules(this.#site, set), set };
    this.#hurry.abort();
    await this.#enforceSoon();
  }

  async admit(address: string, app: { readonly namespace: string; readonly app: string }): Promise<void> {
    this.#admitted.set(address, { address, namespace: app.namespace, app: app.app });
    await this.#enforceSoon();
  }

  async dismiss(address: string): Promise<void> {
    if (this.#admitted.delete(address)) {
      await this.#enforceSoon();
    }
  }

  async audit(): Promise<readonly string[]> {
    const repaired = await this.#serially(async () => await this.#repair());
    await this.#forgetUnanswered();
    return repaired;
  }

  async #repair(): Promise<readonly string[]> {
    if (this.#wanted === undefined) {
      return await this.#closeIfOpen() ? [`nft table ${this.#site.table}`] : [];
    }
    if (this.#inForce === undefined || this.#printing !== undefined) {
      return [];
    }
    const printed = await listNftRules('ip', this.#site.table);
    if (this.#printed === printed) {
      return [];
    }
    this.#inForce = undefined;
    await this.#enforce();
    return [`nft table ${this.#site.table}`];
  }

  /** Without a table, every task of the node could reach every other. */
  async #closeIfOpen(): Promise<boolean> {
    if (await listNftRules('ip', this.#site.table) !== undefined || this.#wanted !== undefined) {
      return false;
    }
    this.#wanted = { rules: endpointRules(this.#site, NOTHING), set: NOTHING };
    await this.#enforce();
    return true;
  }

  /** Runs at the audit and not at the change, so that a handshake in progress is left alone. */
  async #forgetUnanswered(): Promise<void> {
    const set = this.#inForce?.set;
    if (set !== undefined && this.#mayHaveUnanswered) {
      this.#mayHaveUnanswered = false;
      await forgetUnansweredFlows(listing => endedUnansweredTargets(listing, set), this.#log).catch((error: unknown) => {
        this.#log.warn({ err: error }, 'connections that wait for endpoints that ended are not looked for; they end by themselves after two minutes');
      });
    }
  }

  async #enforceSoon(): Promise<void> {
    await (this.#next ??= this.#serially(async () => {
      await this.#whileEarly();
      this.#next = undefined;
      await this.#enforce();
    }));
  }

  async #enforce(): Promise<void> {
    if (this.#wanted === undefined) {
      return;
    }
    const { rules, set } = this.#wanted;
    const table = withLocalTasks(rules, [...this.#admitted.values()]);
    const before = this.#inForce;
    const text = before === undefined ? renderTable(table) : renderChange(before.table, table);
    if (text !== '') {
      // After any error the next attempt replaces the whole table: the kernel may not have the remembered one.
      this.#inForce = undefined;
      await applyNft(text);
      if (before === undefined || !isSameFrame(before.table, table)) this.#printSoon();
    }
    this.#inForce = { table, set };
    if (before?.set !== set) await this.#endFlows(before?.set, set);
  }

  /**
   * NAT rules see only the first packet of a connection: existing connections would keep their
   * target.
   */
  async #endFlows(before: EndpointSet | undefined, set: EndpointSet): Promise<void> {
    this.#mayHaveUnanswered ||= before === undefined || hasEndedTargets(before, set);
    await forgetUdpFlows(endedUdpTargets(before ?? NOTHING, set), this.#log);
    await forgetTcpFlows(unheardTargets(before, set, this.#site.node), this.#log);
  }

  /** Waits while admissions are ahead of their pace and no endpoint has changed. */
  async #whileEarly(): Promise<void> {
    const { signal } = this.#hurry;
    const earlyMs = this.#admissionAtMs - this.#clock.monotonicMs();
    if (earlyMs > 0 && !signal.aborted) await this.#clock.sleep(earlyMs, signal).catch(() => { /* an endpoint changed */ });
    if (signal.aborted) {
      this.#hurry = new AbortController();
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    const { pace, pauseMs } = paceAfter(this.#pace, nowMs, ADMISSION_PACE);
    this.#pace = pace;
    this.#admissionAtMs = nowMs + pauseMs;
  }

  /** Runs in the background; only the next transaction waits for it. */
  #printSoon(): void {
    this.#printing ??= this.#serially(async () => {
      this.#printing = undefined;
      this.#printed = await listNftRules('ip', this.#site.table);
    });
  }

  #serially<Result>(work: () => Promise<Result>): Promise<Result> {
    const next = this.#last.then(work);
    this.#last = next.catch(() => undefined);
    return next;
  }
}
