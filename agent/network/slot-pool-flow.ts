import { existsSync } from 'node:fs';
import { ClusterError } from '#model/errors.ts';
import type { Logger } from '#kit/logger.ts';
import { pickHostNumber } from './address-pool.ts';
import { hostNumberOfSlot } from './link-names.ts';
import { areNamespacesBound, closeNamespaces, listSlotIds, slotPaths } from './namespace-process.ts';
import { bindSlot, createSlot, describeSlot, destroySlots, slotLinkName, wireSlot } from './network-slot-flow.ts';
import type { ReadySlot, SlotSite } from './network-slot-flow.ts';
import type { NetworkSlot } from './ports.ts';

export interface SlotPoolOptions {
  /** Ready slots to keep. */
  readonly size: number;
  /** Lower-case letters and digits that were never given before. */
  readonly newSuffix: () => string;
  /** Resolves when the node has time to make ready what nobody waits for. */
  readonly quiet: () => Promise<void>;
}

/**
 * The node's slots: ready ones, assigned ones, and those of an earlier agent until `sweep`.
 *
 * 1. A host number is in at most one slot that has a directory. 2. The pool fills only after `sweep` or the first `acquire`,
 * never with numbers that an earlier agent's slots have. 3. At most one slot is being made in the background, while the node is quiet.
 */
export class SlotPool {
  readonly #site: SlotSite;
  readonly #options: SlotPoolOptions;
  readonly #log: Logger;
  readonly #ready: ReadySlot[] = [];
  readonly #assigned = new Set<string>();
  /** Ids with a directory that nobody took back yet; once they were swept, those that could not be taken away. */
  readonly #strangers = new Set<string>();
  readonly #used = new Set<number>();
  #lastGiven = 0;
  #isSwept = false;
  #isClosed = false;
  #refill: Promise<void> | undefined;
  #destroying: Promise<void> = Promise.resolve();
  /** The next to be taken away, together. */
  #doomed: { readonly ids: string[]; readonly gone: Promise<void> } | undefined;

  constructor(site: SlotSite, options: SlotPoolOptions, log: Logger) {
    this.#site = site;
    this.#options = options;
    this.#log = log;
  }

  /** Takes note of the slots of an earlier agent. */
  open(): void {
    for (const id of listSlotIds(this.#site.slotsDir)) {
      const hostNumber = hostNumberOfSlot(id);
      if (hostNumber !== undefined) {
        this.#strangers.add(id);
        this.#used.add(hostNumber);
      }
    }
  }

  async acquire(): Promise<NetworkSlot> {
    const ready = this.#ready.shift() ?? await this.#create();
    this.#assigned.add(ready.slot.id);
    this.#fill();
    try {
      return bindSlot(this.#site, ready);
    } catch (error) {
      await this.release(ready.slot.id).catch(() => { /* it stays known: a later sweep or repair tries again */ });
      throw error;
    }
  }

  async release(id: string): Promise<void> {
    const isOurs = this.#assigned.delete(id) || this.#strangers.delete(id);
    if (isOurs) {
      await this.#destroy(id);
      if (this.#isSwept) this.#fill();
    }
  }

  /** True when the slot's namespaces are there; a missing link is the audit's to repair. */
  async adopt(id: string): Promise<boolean> {
    if (this.#assigned.has(id)) {
      return true;
    }
    if (!this.#strangers.has(id) || !await areNamespacesBound(slotPaths(this.#site.slotsDir, id))) {
      return false;
    }
    this.#strangers.delete(id);
    this.#assigned.add(id);
    return true;
  }

  /** Takes away every slot of an earlier agent but `keep`, then fills the pool. */
  async sweep(keep: ReadonlySet<string>): Promise<void> {
    this.#isSwept = true;
    await this.#destroyStrangers(keep);
    this.#fill();
  }

  /** Takes away what could not be taken away before. @throws what the machine says where it still cannot be */
  async clearAway(): Promise<void> {
    if (this.#isSwept) await this.#destroyStrangers(new Set());
  }

  /** Makes links again that somebody deleted; `links` are those of the node now. */
  async repair(links: ReadonlySet<string>): Promise<readonly string[]> {
    const repaired: string[] = [];
    for (const id of [...this.#assigned]) {
      const link = slotLinkName(this.#site, id);
      if (this.#assigned.has(id) && !links.has(link)) {
        await wireSlot(this.#site, describeSlot(this.#site, id));
        repaired.push(`link ${link}`);
      }
    }
    return repaired;
  }

  /** Everything gone, also what an earlier agent left. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#refill;
    this.#ready.splice(0).forEach(({ held }) => { closeNamespaces(held); });
    await destroySlots(this.#site, listSlotIds(this.#site.slotsDir));
  }

  async #create(): Promise<ReadySlot> {
    const hostNumber = pickHostNumber(this.#used, this.#lastGiven);
    if (hostNumber === undefined) {
      throw new ClusterError('RESOURCE_EXHAUSTED', 'the node\'s subnet has no free address');
    }
    this.#used.add(hostNumber);
    this.#lastGiven = hostNumber;
    const id = `${String(hostNumber)}-${this.#options.newSuffix()}`;
    try {
      return await createSlot(this.#site, id);
    } catch (error) {
      if (existsSync(slotPaths(this.#site.slotsDir, id).directory)) this.#strangers.add(id);
      else this.#used.delete(hostNumber);
      throw error;
    }
  }

  async #destroyStrangers(keep: ReadonlySet<string>): Promise<void> {
    const unwanted = [...this.#strangers].filter(id => !keep.has(id));
    unwanted.forEach(id => this.#strangers.delete(id));
    await Promise.all(unwanted.map(async id => { await this.#destroy(id); }));
  }

  /** Slots that are given back while others are taken away go together, next. One that cannot be taken away now stays known, so that a later release, sweep or repair tries again. */
  async #destroy(id: string): Promise<void> {
    const doomed = this.#doomed ??= { ids: [], gone: this.#destroying.then(async () => {
      this.#doomed = undefined;
      await destroySlots(this.#site, doomed.ids);
    }) };
    doomed.ids.push(id);
    this.#destroying = doomed.gone.catch(() => { /* each caller is told */ });
    try {
      await doomed.gone;
    } catch (error) {
      this.#strangers.add(id);
      throw error;
    }
    this.#used.delete(hostNumberOfSlot(id) ?? 0);
  }

  #fill(): void {
    this.#refill ??= this.#fillUp().then(isDone => {
      this.#refill = undefined;
      // A slot may have been taken between the last look and now.
      if (isDone && this.#isWanting()) {
        this.#fill();
      }
    });
  }

  /** False when a slot could not be made: the next acquire or release tries again. */
  async #fillUp(): Promise<boolean> {
    try {
      while (this.#isWanting()) {
        await this.#options.quiet();
        if (this.#isClosed) break;
        this.#ready.push(await this.#create());
      }
      return true;
    } catch (error) {
      this.#log.warn({ err: error }, 'network slot pool not filled');
      return false;
    }
  }

  #isWanting(): boolean {
    return !this.#isClosed && this.#ready.length < this.#options.size;
  }
}
