/** How long each node has had no acknowledgement, as its agent and as a witness count it. */

/** From a decision to stop to the stop. */
const DECIDING_MS = 2_000;
/** Between two acknowledgements where nothing is wrong. */
const SHORT_GAP_MS = 3_000;

export class NodeSilence {
  readonly #nowMs: () => number;
  readonly #lastAckMs = new Map<string, number>();
  /** Without those that end a gap: the heartbeat that one answers may not show that the agent hears, and then does not count for it. */
  readonly #provenAckMs = new Map<string, number>();
  /** The newest gap of each node. */
  readonly #gaps = new Map<string, { readonly lengthMs: number; readonly endedAtMs: number }>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** An acknowledgement of that time reached the node's agent. */
  acknowledged(node: string, sentAtMs: number): void {
    const lengthMs = sentAtMs - (this.#lastAckMs.get(node) ?? 0);
    if (lengthMs > SHORT_GAP_MS) this.#gaps.set(node, { lengthMs, endedAtMs: this.#nowMs() });
    else this.#provenAckMs.set(node, sentAtMs);
    this.#lastAckMs.set(node, sentAtMs);
  }

  lastAckMs(node: string): number | undefined {
    return this.#lastAckMs.get(node);
  }

  /** The longest silence that the node's agent may decide by now. One that stood still decides by what it knew before the acknowledgement that ends the gap. */
  longestMs(node: string): number {
    const nowMs = this.#nowMs();
    const gap = this.#gaps.get(node);
    return Math.max(nowMs - (this.#provenAckMs.get(node) ?? 0), gap !== undefined && nowMs - gap.endedAtMs <= DECIDING_MS ? gap.lengthMs : 0);
  }
}
