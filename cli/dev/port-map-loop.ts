import type { Clock } from '#kit/clock.ts';
import { ClusterError } from '#model/errors.ts';
import type { ClusterView, ControlClient } from '#model/ports.ts';
import type { HostRules } from './host-ruleset.ts';
import { applyHostRules } from './hub-network-process.ts';
import type { DevLayout } from './layout.ts';

const RETRY_MS = 500;

/** Keeps the machine's port map equal to the published ports and the nodes that are ready. While no controller answers it stays as it is. */
export class PortMapLoop {
  readonly #layout: DevLayout;
  readonly #connect: () => Promise<ControlClient>;
  readonly #clock: Clock;
  #last = '';

  /** @param connect  with the certificate that the operator has now */
  constructor(layout: DevLayout, connect: () => Promise<ControlClient>, clock: Clock) {
    this.#layout = layout;
    this.#connect = connect;
    this.#clock = clock;
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.#follow(signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof ClusterError)) {
          throw error;
        }
      }
      await this.#clock.sleep(RETRY_MS, signal);
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const client = await this.#connect();
    try {
      for await (const view of client.watch({ withoutTasks: true, onlyRecords: true }, signal)) {
        const rules = hostRulesOf(view, this.#layout);
        const text = JSON.stringify(rules);
        if (text !== this.#last) {
          await applyHostRules(rules);
          this.#last = text;
        }
      }
    } finally {
      client.close();
    }
  }
}

/** What the map must hold for this view. */
export function hostRulesOf(view: ClusterView, layout: DevLayout): HostRules {
  const ports = new Map<string, HostRules['ports'][number]>();
  for (const { service } of view.services.filter(one => !one.service.isDeleting)) {
    for (const port of service.spec.container.ports) {
      if (port.published !== undefined) {
        ports.set(`${port.protocol}/${String(port.published).padStart(5, '0')}`, { protocol: port.protocol, port: port.published });
      }
    }
  }
  return {
    table: layout.hostTable,
    link: layout.hostLink,
    underlay: layout.underlay,
    ports: [...ports.entries()].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, port]) => port),
    nodes: view.nodes.filter(one => one.node.condition === 'ready').map(one => one.node.address).sort(),
  };
}
