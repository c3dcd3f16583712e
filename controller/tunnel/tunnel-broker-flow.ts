import { ClusterError, ERROR_CODES } from '#model/errors.ts';
import type { ErrorCode } from '#model/errors.ts';
import type { OpenTunnel } from '#model/session.ts';
import type { Tunnel } from '#model/tunnel.ts';
import type { Clock } from '#kit/clock.ts';
import type { LiveSession } from '../api/session-table.ts';

/** An agent that does not dial back this fast is refused. Source: decisions.md, "Tunnels". */
export const DIAL_BACK_LIMIT_MS = 10_000;

/** The agent's end of a tunnel; `finish` lets its call return. */
export interface ArrivedTunnel {
  readonly tunnel: Tunnel;
  readonly finish: () => void;
}

/**
 * Tunnels that agents were told to open and did not yet.
 *
 * 1. An id is used once. 2. A dial-back from another node than the one that was told, or with an unknown id, is NOT_FOUND.
 */
export class TunnelBroker {
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #waiting = new Map<string, { readonly node: string; readonly resolve: (arrived: ArrivedTunnel) => void; readonly reject: (error: Error) => void }>();

  constructor(clock: Clock, newId: () => string) {
    this.#clock = clock;
    this.#newId = newId;
  }

  /** Asks the node to dial back. @throws ClusterError with the agent's refusal, or DEADLINE_EXCEEDED */
  async open(session: LiveSession, opening: Omit<OpenTunnel, 'kind' | 'tunnelId'>, signal: AbortSignal): Promise<ArrivedTunnel> {
    const id = this.#newId();
    const over = new AbortController();
    const arrival = Promise.withResolvers<ArrivedTunnel>();
    this.#waiting.set(id, { node: session.node, resolve: arrival.resolve, reject: arrival.reject });
    try {
      session.send({ kind: 'open-tunnel', tunnelId: id, ...opening });
      const limit = this.#clock.sleep(DIAL_BACK_LIMIT_MS, AbortSignal.any([signal, over.signal])).then(() => {
        throw new ClusterError('DEADLINE_EXCEEDED', `node ${session.node} did not open the tunnel within ${String(DIAL_BACK_LIMIT_MS / 1000)} s`);
      });
      return await Promise.race([arrival.promise, limit]);
    } finally {
      this.#waiting.delete(id);
      over.abort(new Error('answered'));
    }
  }

  /** The agent dialled back; resolves when the tunnel is over. @throws ClusterError NOT_FOUND */
  async arrive(id: string, node: string, tunnel: Tunnel): Promise<void> {
    const waiting = this.#waiting.get(id);
    if (waiting?.node !== node) {
      throw new ClusterError('NOT_FOUND', `nobody waits for tunnel ${id}`);
    }
    this.#waiting.delete(id);
    const finished = Promise.withResolvers<undefined>();
    waiting.resolve({ tunnel, finish: () => { finished.resolve(undefined); } });
    await finished.promise;
  }

  /** The agent will not open it. */
  refuse(id: string, code: string, message: string): void {
    const known: ErrorCode = ERROR_CODES.find(one => one === code) ?? 'INTERNAL';
    this.#waiting.get(id)?.reject(new ClusterError(known, message));
  }
}
