/** One thing that happened to an object, aggregated by (object, reason). */
export interface ClusterEvent {
  readonly type: 'normal' | 'warning';
  /** `task/ID`, `service/NS/APP/SVC`, `node/N`, `app/NS/APP`. */
  readonly object: string;
  readonly reason: string;
  readonly message: string;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly count: number;
  /** Where `message` was not always the same: the first and the newest ones, the newest last. */
  readonly messages?: readonly EventMessage[];
}

/** One of the messages of an event, with its own times and count. */
export interface EventMessage {
  /** Cut where it is long. */
  readonly message: string;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly count: number;
}

/** At least one, the newest last. */
export function messagesOf({ message, firstAtMs, lastAtMs, count, messages }: ClusterEvent): readonly EventMessage[] {
  return messages ?? [{ message, firstAtMs, lastAtMs, count }];
}
