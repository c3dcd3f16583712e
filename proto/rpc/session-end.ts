import { ClusterError } from '#model/errors.ts';
import type { SessionEnd } from '#model/ports.ts';
import type { MessageStream } from './message-stream.ts';

/** What may wait for a slow peer before its session is given up. One full assignment or endpoint set always may. */
const MAX_QUEUED_MESSAGES = 1_000;
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;

/** A session over a stream. `isServing` closes with what was sent flushed; the calling end just leaves. */
export function sessionEnd<Incoming, Outgoing>(stream: MessageStream<Incoming, Outgoing>, isServing: boolean): SessionEnd<Incoming, Outgoing> {
  let overflow: ClusterError | undefined;
  return {
    async *receive() {
      yield* stream.messages();
      if (overflow !== undefined) {
        throw overflow;
      }
    },
    send(message) {
      if (stream.queuedMessages >= MAX_QUEUED_MESSAGES || stream.queuedBytes >= MAX_QUEUED_BYTES) {
        overflow = new ClusterError('RESOURCE_EXHAUSTED', 'the other end of the session is too slow');
        stream.cancel();
        return;
      }
      stream.send(message).catch(() => { /* the same failure ends `receive` */ });
    },
    close() {
      if (isServing) {
        stream.close();
      } else {
        stream.cancel();
      }
    },
  };
}
