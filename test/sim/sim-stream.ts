/** One session's stream over the simulated network, as gRPC gives it to both ends. */
import { ClusterError } from '#model/errors.ts';
import type { SessionEnd } from '#model/ports.ts';
import type { Random } from './random.ts';
import { BREAK_AFTER_MS } from './sim-net.ts';
import type { SimNet } from './sim-net.ts';
import type { SimProcess, SimTime } from './sim-time.ts';

/** What may come twice, and what may be lost without its stream: messages that the protocol repeats or knows again. */
export interface MessageFaults {
  readonly lostShare: number;
  readonly doubledShare: number;
  readonly mayBeLost: ReadonlySet<string>;
  readonly mayBeDoubled: ReadonlySet<string>;
  /** Of those what a copy may come of after newer messages. */
  readonly mayBeLate: ReadonlySet<string>;
}

/** How late a copy comes at most. */
const LATEST_MS = 20_000;

interface Side {
  readonly name: string;
  readonly process: SimProcess;
}

interface Inbox<Message> {
  readonly queue: Message[];
  isClosed: boolean;
  failure: Error | undefined;
  wake: () => void;
}

/** What is told of a message. `settled`: of an acknowledgement; empty: it is a heartbeat's, not that of statuses which were written at last. */
export interface Delivered {
  readonly kind: string;
  readonly settled?: readonly unknown[];
}

interface StreamParts {
  readonly time: SimTime;
  readonly net: SimNet;
  readonly random: Random;
  readonly faults: MessageFaults;
  /** Told of each message that an end took in, and when it was sent. */
  readonly onDelivered: (to: string, message: Delivered, sentAtMs: number) => void;
}

/** Both ends of a stream between `left` and `right`. It breaks for both when a lane is cut for longer than the keepalive, or an end dies. */
export function openStream<ToLeft extends { readonly kind: string }, ToRight extends { readonly kind: string }>(
  left: Side, right: Side, parts: StreamParts,
): { readonly left: SessionEnd<ToLeft, ToRight>; readonly right: SessionEnd<ToRight, ToLeft>; reset(): void; readonly isOpen: () => boolean } {
  const toLeft = newInbox<ToLeft>();
  const toRight = newInbox<ToRight>();
  const closeBoth = (failure: Error | undefined): void => {
    shut(left, toLeft, failure);
    shut(right, toRight, failure);
  };
  const closeFrom = (near: Inbox<unknown>, nearSide: Side, far: Inbox<unknown>, farSide: Side): void => {
    shut(nearSide, near, undefined);
    parts.net.send(nearSide.name, farSide.name, () => { shut(farSide, far, undefined); });
  };
  watchLanes(left, right, parts, () => toLeft.isClosed && toRight.isClosed, () => { closeBoth(new ClusterError('UNAVAILABLE', 'the connection broke')); });
  return {
    left: { receive: () => receive(toLeft, left), send: message => { carry(message, left, right, toRight, parts); }, close: () => { closeFrom(toLeft, left, toRight, right); } },
    right: { receive: () => receive(toRight, right), send: message => { carry(message, right, left, toLeft, parts); }, close: () => { closeFrom(toRight, right, toLeft, left); } },
    reset: () => { closeBoth(new ClusterError('UNAVAILABLE', 'the connection was reset')); },
    isOpen: () => !toLeft.isClosed && !toRight.isClosed,
  };
}

function newInbox<Message>(): Inbox<Message> {
  return { queue: [], isClosed: false, failure: undefined, wake: () => undefined };
}

function shut(side: Side, inbox: Inbox<unknown>, failure: Error | undefined): void {
  side.process.enter(() => {
    if (!inbox.isClosed) {
      inbox.isClosed = true;
      inbox.failure = failure;
      inbox.wake();
    }
  });
}

function carry<Message extends { readonly kind: string }>(message: Message, from: Side, to: Side, inbox: Inbox<Message>, { time, net, random, faults, onDelivered }: StreamParts): void {
  const sentAtMs = time.nowMs;
  const isLost = faults.mayBeLost.has(message.kind) && random.chance(faults.lostShare);
  const copies = isLost ? 0 : faults.mayBeDoubled.has(message.kind) && random.chance(faults.doubledShare) ? 2 : 1;
  const deliver = (): void => {
    to.process.enter(() => {
      if (!inbox.isClosed) {
        inbox.queue.push(message);
        onDelivered(to.name, message, sentAtMs);
        inbox.wake();
      }
    });
  };
  for (let copy = 0; copy < copies; copy += 1) {
    if (copy > 0 && faults.mayBeLate.has(message.kind)) {
      net.sendLate(from.name, to.name, LATEST_MS, deliver);
    } else {
      net.send(from.name, to.name, deliver);
    }
  }
}

async function* receive<Message>(inbox: Inbox<Message>, side: Side): AsyncGenerator<Message> {
  for (;;) {
    const message = inbox.queue.shift();
    if (message !== undefined) {
      yield message;
    } else if (inbox.failure !== undefined) {
      throw inbox.failure;
    } else if (inbox.isClosed) {
      return;
    } else {
      await new Promise<void>(resolve => { inbox.wake = () => { side.process.enter(resolve); }; });
    }
  }
}

/** The keepalive of both ends, looked at each second. */
function watchLanes(left: Side, right: Side, { net, time }: StreamParts, isOver: () => boolean, breakOff: () => void): void {
  let quietMs = 0;
  const look = (): void => {
    if (isOver()) {
      return;
    }
    if (left.process.isDead || right.process.isDead) {
      breakOff();
      return;
    }
    const isCarrying = !net.isCut(left.name, right.name) && !net.isCut(right.name, left.name) && left.process.isRunning && right.process.isRunning;
    quietMs = isCarrying ? 0 : quietMs + 1_000;
    if (quietMs >= BREAK_AFTER_MS) {
      breakOff();
      return;
    }
    time.after(1_000, look);
  };
  time.after(1_000, look);
}
