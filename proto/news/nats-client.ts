import { connect, Events } from 'nats';
import type { NatsConnection } from 'nats';
import { decodeEventNews, decodeUsageNews, encodeEventNews, encodeUsageNews } from '#codec/news-codec.ts';
import { backoffMs } from '#kit/backoff.ts';
import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { ClusterEvent } from '#model/event.ts';
import type { NodeId } from '#model/ids.ts';
import type { UsageSample } from '#model/usage.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import type { News } from './ports.ts';
import { RecentItems } from './recent-items.ts';
import { ALL_EVENTS, ALL_USAGE, eventSubject, usageSubject } from './subject-rules.ts';

const RECONNECT_WAIT_MS = 250;
const FIRST_CONNECT_BACKOFF = { firstMs: 250, maxMs: 5_000 };
const CONNECT_TIMEOUT_MS = 5_000;
const PING_INTERVAL_MS = 5_000;
/** Messages that wait while a batch is on its way; more are dropped. */
const MAX_UNFLUSHED = 10_000;
/** From one batch to the next: each is a write of its own, which costs more than its messages. The first one after a rest goes at once. */
const BATCH_PAUSE_MS = 20;
const MAX_WAITING_ITEMS = 1_000;
const NEVER = new AbortController().signal;

export interface NatsOptions {
  /** `host:port` of each server. */
  readonly servers: readonly string[];
  /** Asked at every connection, so that renewed certificates are used. */
  readonly identity: () => TlsIdentity;
  readonly onGap: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Subscription {
  readonly subject: string;
  readonly receive: (bytes: Uint8Array) => void;
  stop: () => void;
}

/** News over NATS core, without JetStream. `run` holds the connection; before it and between connections the object works as when NATS is down. */
export class NatsNews implements News, Loop {
  readonly #options: NatsOptions;
  readonly #subscriptions = new Set<Subscription>();
  #connection: NatsConnection | undefined;
  #isConnected = false;
  #wasConnected = false;
  /** Published and not given to the connection yet. */
  #waiting: { readonly subject: string; readonly bytes: Uint8Array }[] = [];
  #isFlushing = false;
  #droppedCount = 0;

  constructor(options: NatsOptions) {
    this.#options = options;
  }

  get droppedCount(): number {
    return this.#droppedCount;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        const connection = await this.#connect();
        attempt = 0;
        await this.#hold(connection, signal);
      } catch (error) {
        log.warn({ err: error }, 'NATS is not reached');
      }
      await clock.sleep(backoffMs(FIRST_CONNECT_BACKOFF, attempt + 1, Math.random()), signal).catch(() => { /* aborted: the loop ends */ });
    }
  }

  publishEvent(event: ClusterEvent): void {
    this.#publish(eventSubject(event.object), encodeEventNews(event));
  }

  publishUsage(sample: UsageSample): void {
    this.#publish(usageSubject(sample.node), encodeUsageNews(sample));
  }

  events(signal: AbortSignal): AsyncIterable<ClusterEvent> {
    return this.#subscribe(ALL_EVENTS, decodeEventNews, signal);
  }

  usage(node: NodeId | undefined, signal: AbortSignal): AsyncIterable<UsageSample> {
    return this.#subscribe(node === undefined ? ALL_USAGE : usageSubject(node), decodeUsageNews, signal);
  }

  async #connect(): Promise<NatsConnection> {
    const { servers, identity } = this.#options;
    return await connect({
      servers: [...servers],
      // The client keeps this object and reads it whenever it connects again.
      tls: { get ca() { return identity().caPem; }, get cert() { return identity().pair?.certificatePem ?? ''; }, get key() { return identity().pair?.keyPem ?? ''; } },
      timeout: CONNECT_TIMEOUT_MS,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: 2,
    });
  }

  /** Until the connection is closed for good or `signal` aborts; reconnecting is the client's own work. */
  async #hold(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    this.#connection = connection;
    for (const subscription of this.#subscriptions) {
      attach(connection, subscription);
    }
    this.#setConnected(true);
    const close = (): void => { void connection.close(); };
    signal.addEventListener('abort', close, { once: true });
    if (signal.aborted) {
      close();
    }
    void this.#follow(connection);
    try {
      await connection.closed();
    } finally {
      signal.removeEventListener('abort', close);
      this.#connection = undefined;
      this.#setConnected(false);
    }
  }

  /** The client's statuses have no end: that a connection is closed is said by `closed` alone. */
  async #follow(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === Events.Disconnect) {
        this.#setConnected(false);
      } else if (type === Events.Reconnect) {
        this.#setConnected(true);
      }
    }
  }

  #setConnected(isConnected: boolean): void {
    this.#isConnected = isConnected;
    this.#droppedCount += this.#waiting.length;
    this.#waiting = [];
    if (isConnected) {
      if (this.#wasConnected) {
        this.#options.onGap();
      }
      this.#wasConnected = true;
    }
  }

  #publish(subject: string, bytes: Uint8Array): void {
    const connection = this.#connection;
    if (connection === undefined || !this.#isConnected || connection.isClosed() || this.#waiting.length >= MAX_UNFLUSHED) {
      this.#droppedCount += 1;
      return;
    }
    this.#waiting.push({ subject, bytes });
    void this.#flush(connection);
  }

  async #flush(connection: NatsConnection): Promise<void> {
    if (this.#isFlushing) {
      return;
    }
    this.#isFlushing = true;
    try {
      while (this.#waiting.length > 0 && this.#isConnected) {
        const batch = this.#waiting;
        this.#waiting = [];
        batch.forEach(({ subject, bytes }) => { connection.publish(subject, bytes); });
        await connection.flush();
        await this.#options.clock.sleep(BATCH_PAUSE_MS, NEVER);
      }
    } catch {
      // The connection broke: what it had may be lost, and nobody knows how much.
    } finally {
      this.#isFlushing = false;
    }
  }

  async *#subscribe<Item>(subject: string, decode: (bytes: Uint8Array) => Item, signal: AbortSignal): AsyncGenerator<Item, void, undefined> {
    const items = new RecentItems<Item>(MAX_WAITING_ITEMS);
    const subscription: Subscription = { subject, receive: bytes => { this.#receive(items, decode, bytes); }, stop: () => undefined };
    this.#subscriptions.add(subscription);
    if (this.#connection !== undefined) {
      attach(this.#connection, subscription);
    }
    try {
      yield* items.read(signal);
    } finally {
      this.#subscriptions.delete(subscription);
      subscription.stop();
    }
  }

  #receive<Item>(items: RecentItems<Item>, decode: (bytes: Uint8Array) => Item, bytes: Uint8Array): void {
    let item: Item;
    try {
      item = decode(bytes);
    } catch (error) {
      this.#options.log.debug({ err: error }, 'skipped a message that is no news');
      return;
    }
    if (!items.push(item)) {
      this.#options.onGap();
    }
  }
}

function attach(connection: NatsConnection, subscription: Subscription): void {
  const attached = connection.subscribe(subscription.subject, {
    callback: (error, message) => {
      if (error === null) {
        subscription.receive(message.data);
      }
    },
  });
  subscription.stop = () => { attached.unsubscribe(); };
}
