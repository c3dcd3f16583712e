/** A tunnel in memory: two ends, each `send` taken by the other end's reader. */
import type { Tunnel, TunnelFrame } from '#model/tunnel.ts';

export function tunnelPair(): readonly [Tunnel, Tunnel] {
  const up = new FrameLine();
  const down = new FrameLine();
  const close = (): void => {
    up.end();
    down.end();
  };
  return [
    { frames: down.frames(), send: async frame => { await up.send(frame); }, close },
    { frames: up.frames(), send: async frame => { await down.send(frame); }, close },
  ];
}

/** At most one frame waits; frames sent before the end are delivered. */
class FrameLine {
  readonly #queue: { readonly frame: TunnelFrame; readonly taken: () => void }[] = [];
  #isOver = false;
  #wake: () => void = () => undefined;

  async send(frame: TunnelFrame): Promise<void> {
    if (this.#isOver) {
      throw new Error('the tunnel is closed');
    }
    await new Promise<void>(resolve => {
      this.#queue.push({ frame, taken: resolve });
      this.#wake();
    });
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *frames(): AsyncGenerator<TunnelFrame> {
    for (;;) {
      const next = this.#queue.shift();
      if (next !== undefined) {
        next.taken();
        yield next.frame;
      } else if (this.#isOver) {
        return;
      } else {
        await new Promise<void>(resolve => { this.#wake = resolve; });
      }
    }
  }
}
