import type { AgentSessionEnd } from '#model/ports.ts';
import type { AgentMessage, ControllerMessage } from '#model/session.ts';

/** One session in memory: the agent's end, and a controller's hand at the other. */
export class SessionPair {
  /** What the agent sent, in order. */
  readonly received: AgentMessage[] = [];
  closedBecause: string | undefined;
  readonly #toAgent: ControllerMessage[] = [];
  #isClosed = false;
  #wake: () => void = () => undefined;

  readonly agentEnd: AgentSessionEnd = {
    receive: () => this.#messages(),
    send: message => { this.received.push(message); },
    close: reason => {
      this.closedBecause ??= reason;
      this.close();
    },
  };

  get isClosed(): boolean {
    return this.#isClosed;
  }

  say(message: ControllerMessage): void {
    this.#toAgent.push(message);
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async *#messages(): AsyncGenerator<ControllerMessage> {
    for (;;) {
      const message = this.#toAgent.shift();
      if (message !== undefined) {
        yield message;
      } else if (this.#isClosed) {
        return;
      } else {
        await new Promise<void>(resolve => { this.#wake = resolve; });
      }
    }
  }
}
