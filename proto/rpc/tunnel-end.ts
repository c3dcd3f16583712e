import type { TunnelMessage } from '#codec/tunnel-codec.ts';
import { ClusterError } from '#model/errors.ts';
import { MAX_FRAME_BYTES } from '#model/tunnel.ts';
import type { Tunnel, TunnelFrame } from '#model/tunnel.ts';
import type { MessageStream } from './message-stream.ts';

/** The dialling end: says what it is for, then carries frames. */
export function dialTunnel<Opening>(stream: MessageStream<TunnelFrame, TunnelMessage<Opening>>, opening: Opening, signal: AbortSignal): Tunnel {
  const cancel = (): void => { stream.cancel(); };
  if (signal.aborted) {
    cancel();
  }
  signal.addEventListener('abort', cancel, { once: true });
  stream.send({ kind: 'open', opening }).catch(() => { /* the same failure ends `frames` */ });
  return {
    frames: checkedFrames(stream.messages()),
    send: async frame => { await stream.send({ kind: 'frame', frame: checkFrame(frame) }); },
    close() {
      signal.removeEventListener('abort', cancel);
      stream.close();
    },
  };
}

/** The serving end: what the tunnel is for, and its frames. @throws ClusterError INVALID_ARGUMENT unless the first message opens it */
export async function acceptTunnel<Opening>(
  stream: MessageStream<TunnelMessage<Opening>, TunnelFrame>,
): Promise<{ readonly opening: Opening; readonly tunnel: Tunnel }> {
  const messages = stream.messages();
  const first = await messages.next();
  if (first.done === true || first.value.kind !== 'open') {
    throw new ClusterError('INVALID_ARGUMENT', 'a tunnel\'s first message says what it is for');
  }
  const tunnel: Tunnel = {
    frames: checkedFrames(onlyFrames(messages)),
    send: async frame => { await stream.send(checkFrame(frame)); },
    close: () => { stream.close(); },
  };
  return { opening: first.value.opening, tunnel };
}

async function* onlyFrames<Opening>(messages: AsyncIterable<TunnelMessage<Opening>>): AsyncGenerator<TunnelFrame, void, undefined> {
  for await (const message of messages) {
    if (message.kind === 'open') {
      throw new ClusterError('INVALID_ARGUMENT', 'a tunnel is opened once');
    }
    yield message.frame;
  }
}

async function* checkedFrames(frames: AsyncIterable<TunnelFrame>): AsyncGenerator<TunnelFrame, void, undefined> {
  for await (const frame of frames) {
    yield checkFrame(frame);
  }
}

function checkFrame(frame: TunnelFrame): TunnelFrame {
  if (frame.kind === 'data' && frame.bytes.length > MAX_FRAME_BYTES) {
    throw new ClusterError('INVALID_ARGUMENT', `frame has ${String(frame.bytes.length)} bytes, at most ${String(MAX_FRAME_BYTES)} are allowed`);
  }
  return frame;
}
