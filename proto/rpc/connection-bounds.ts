/** Which connection of a listener has to end so that the others stay within their bounds. */
export interface ConnectionLimits {
  /** TLS handshakes under way from one address. */
  readonly handshakesOfOne: number;
  readonly handshakes: number;
  /** Connections of one certificate; without one, of one address. */
  readonly connectionsOfOne: number;
  readonly connections: number;
}

/** All nodes of a large cluster may reconnect at once, each from its own address. */
export const CONNECTION_LIMITS: ConnectionLimits = { handshakesOfOne: 256, handshakes: 1_024, connectionsOfOne: 256, connections: 20_000 };

interface Endable {
  destroy(): unknown;
}

/** Connections in the order in which they came, by who made them. */
class Held {
  readonly #byOwner = new Map<string, Set<Endable>>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  countOf(owner: string): number {
    return this.#byOwner.get(owner)?.size ?? 0;
  }

  add(owner: string, connection: Endable): void {
    const held = this.#byOwner.get(owner) ?? new Set();
    this.#byOwner.set(owner, held.add(connection));
    this.#count += 1;
  }

  remove(owner: string, connection: Endable): void {
    const held = this.#byOwner.get(owner);
    if (held?.delete(connection) === true) {
      this.#count -= 1;
      if (held.size === 0) this.#byOwner.delete(owner);
    }
  }

  /** The oldest connection of the owner that has most. */
  oldestOfLargest(): Endable | undefined {
    let largest: Set<Endable> | undefined;
    for (const held of this.#byOwner.values()) {
      if (held.size > (largest?.size ?? 0)) largest = held;
    }
    return largest?.values().next().value;
  }
}

/**
 * The connections of one listener, before and after their TLS handshake.
 *
 * A connection too many of one owner is itself refused. With too many in all, the oldest of the owner that has most ends:
 * a newcomer who holds little gets in, whatever one other does.
 */
export class ConnectionBounds {
  readonly #limits: ConnectionLimits;
  readonly #handshakes = new Held();
  readonly #connections = new Held();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  get held(): { readonly handshakes: number; readonly connections: number } {
    return { handshakes: this.#handshakes.count, connections: this.#connections.count };
  }

  /** A handshake begins; call what is returned when it ends. Undefined: refused. */
  beginHandshake(address: string, socket: Endable): (() => void) | undefined {
    return hold(this.#handshakes, { owner: address, connection: socket }, { ofOne: this.#limits.handshakesOfOne, inAll: this.#limits.handshakes });
  }

  /** A handshake succeeded; call what is returned when the connection ends. Undefined: refused. */
  open(owner: string, socket: Endable): (() => void) | undefined {
    return hold(this.#connections, { owner, connection: socket }, { ofOne: this.#limits.connectionsOfOne, inAll: this.#limits.connections });
  }
}

function hold(held: Held, { owner, connection }: { readonly owner: string; readonly connection: Endable }, { ofOne, inAll }: { readonly ofOne: number; readonly inAll: number }): (() => void) | undefined {
  if (held.countOf(owner) >= ofOne) {
    return undefined;
  }
  held.add(owner, connection);
  if (held.count > inAll) {
    held.oldestOfLargest()?.destroy();
  }
  return () => { held.remove(owner, connection); };
}
