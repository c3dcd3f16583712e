import type { Clock } from '#kit/clock.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { ClusterEvent } from '#model/event.ts';
import type { TaskId } from '#model/ids.ts';
import type { AgentNews } from '#model/session.ts';
import type { UsageSample } from '#model/usage.ts';
import type { News } from '#news/ports.ts';

export interface NewsParts {
  readonly clock: Clock;
  /** False: no controller is there to send it to. */
  readonly send: (news: Omit<AgentNews, 'kind'>) => boolean;
}

const SEND_INTERVAL_MS = 500;
/** Events that wait for the next message; more are dropped. */
const MAX_EVENTS = 100;
/** Maximum characters of an event message. The controller cuts longer messages too. */
const MAX_MESSAGE_LENGTH = 2_048;

/** What this node reports for NATS, in one message of the session twice a second: the newest sample of each task, and the events since. */
export class NewsLoop implements Loop, Pick<News, 'publishEvent' | 'publishUsage' | 'droppedCount'> {
  readonly #parts: NewsParts;
  readonly #usage = new Map<TaskId, UsageSample>();
  #events: ClusterEvent[] = [];
  #droppedCount = 0;

  constructor(parts: NewsParts) {
    this.#parts = parts;
  }

  get droppedCount(): number {
    return this.#droppedCount;
  }

  publishUsage(sample: UsageSample): void {
    this.#usage.set(sample.task, sample);
  }

  publishEvent(event: ClusterEvent): void {
    if (this.#events.length < MAX_EVENTS) {
      this.#events.push({ ...event, message: event.message.slice(0, MAX_MESSAGE_LENGTH) });
    } else {
      this.#droppedCount += 1;
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#parts.clock.sleep(SEND_INTERVAL_MS, signal).catch(() => { /* the loop's condition sees the signal */ });
      this.#send();
    }
  }

  #send(): void {
    const news = { usage: [...this.#usage.values()], events: this.#events };
    const count = news.usage.length + news.events.length;
    this.#usage.clear();
    this.#events = [];
    if (count > 0 && !this.#parts.send(news)) this.#droppedCount += count;
  }
}
