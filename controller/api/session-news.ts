import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { ClusterEvent } from '#model/event.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { AgentNews } from '#model/session.ts';
import type { News } from '#news/ports.ts';
import { boundedText, MAX_MESSAGE_BYTES, MAX_WORD_BYTES } from '../store/bounded-text.ts';
import type { ClusterState } from './ports.ts';

export interface SessionNewsParts {
  readonly news?: Pick<News, 'publishUsage' | 'publishEvent'> | undefined;
  readonly state: Pick<ClusterState, 'current'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Rate limit of one node. The samples of 500 tasks, one every two seconds, need half of it. */
const BYTES_PER_SECOND = 128 * 1_024;
/** What a node may send at once: the samples of 2,000 tasks. */
const BURST_BYTES = 512 * 1_024;
/** At most, in protobuf. */
const SAMPLE_BYTES = 256;
const EVENT_BYTES = 512;

/** News that one session's agent reports: what is about its own node is published, within the node's budget; the rest is dropped. */
export class SessionNews {
  readonly #node: NodeId;
  readonly #parts: SessionNewsParts;
  #budget = BURST_BYTES;
  #filledAtMs: number;
  #hasWarned = false;

  /** `node`: of the certificate of the session. */
  constructor(node: NodeId, parts: SessionNewsParts) {
    this.#node = node;
    this.#parts = parts;
    this.#filledAtMs = parts.clock.monotonicMs();
  }

  take({ usage, events }: AgentNews): void {
    const { news } = this.#parts;
    if (news === undefined) return;
    this.#fill();
    for (const event of events) {
      if (!this.#spend(EVENT_BYTES + Buffer.byteLength(event.message))) return;
      if (this.#isAboutNode(event)) news.publishEvent(bounded(event));
    }
    for (const sample of usage) {
      if (!this.#spend(SAMPLE_BYTES)) return;
      if (sample.node === this.#node && this.#isOwn(sample.task)) news.publishUsage(sample);
    }
  }

  #isAboutNode({ object }: ClusterEvent): boolean {
    const [kind, name = ''] = object.split(/\/(.*)/s);
    return kind === 'task' ? this.#isOwn(name) : object === `node/${this.#node}`;
  }

  #isOwn(task: string): boolean {
    return this.#parts.state.current.tasks.get(task as TaskId)?.value.node === this.#node;
  }

  #fill(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    this.#budget = Math.min(BURST_BYTES, this.#budget + (nowMs - this.#filledAtMs) / 1_000 * BYTES_PER_SECOND);
    this.#filledAtMs = nowMs;
  }

  /** False: the node has sent too much lately. Foreign news is paid for, too. */
  #spend(bytes: number): boolean {
    if (bytes <= this.#budget) {
      this.#budget -= bytes;
      return true;
    }
    if (!this.#hasWarned) {
      this.#hasWarned = true;
      this.#parts.log.warn({ node: this.#node, bytesPerSecond: BYTES_PER_SECOND }, 'the node reports more news than it may; the rest is dropped');
    }
    return false;
  }
}

/** Agents count nothing together: `messages` of one stays out. */
function bounded({ messages: _, ...event }: ClusterEvent): ClusterEvent {
  return { ...event, reason: boundedText(event.reason, MAX_WORD_BYTES), message: boundedText(event.message, MAX_MESSAGE_BYTES) };
}
