import { MAX_FRAME_BYTES } from '#model/tunnel.ts';
import type { Tunnel, TunnelFrame } from '#model/tunnel.ts';
import type { ProcessStreams } from '../runtime/ports.ts';

/** What an attachment's client can ask for besides. */
export interface ProcessCare {
  readonly stop: (graceMs: number | undefined) => void;
}

/** Of a process that the tunnel made: it ends with the tunnel. */
export const OWN_PROCESS: ProcessCare = { stop: () => undefined };

/**
 * Joins a tunnel with a process until its output ended, then tells the exit code.
 *
 * Both directions go at the pace of the slower end. A client that went away ends it: for an exec, the process too. So does a request of the
 * client that is refused, e.g. a signal that nobody knows.
 *
 * @param signal  aborts when the client is gone, also while it sends nothing; it may have aborted while the process was started
 * @throws the refusal, once the process is closed
 */
export async function joinProcess(tunnel: Tunnel, streams: ProcessStreams, care: ProcessCare, signal: AbortSignal): Promise<void> {
  const client: { isGone: boolean; refusal?: Error } = { isGone: false };
  const onAbort = (): void => {
    client.isGone = true;
    streams.close();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  feed(tunnel, streams, care).catch((error: unknown) => { client.refusal = error as Error; }).finally(onAbort);
  try {
    if (signal.aborted) {
      return;
    }
    for await (const { stream, bytes } of streams.output) {
      await sendBytes(tunnel, stream, bytes);
    }
    if (client.refusal !== undefined) {
      throw client.refusal;
    }
    if (client.isGone) {
      return;
    }
    const { code } = await streams.ended;
    await tunnel.send(code === null ? { kind: 'error', code: 'UNAVAILABLE', message: 'the exit code is not known' } : { kind: 'exit', code });
  } finally {
    signal.removeEventListener('abort', onAbort);
    streams.close();
  }
}

/** Data frames of `bytes`, none larger than a frame may be. */
export async function sendBytes(tunnel: Tunnel, stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += MAX_FRAME_BYTES) {
    await tunnel.send({ kind: 'data', stream, bytes: bytes.subarray(offset, offset + MAX_FRAME_BYTES) });
  }
}

/** Frames of the client to the process; returns when the client is gone. */
async function feed(tunnel: Tunnel, streams: ProcessStreams, care: ProcessCare): Promise<void> {
  for await (const frame of tunnel.frames) {
    await obey(frame, streams, care);
  }
}

async function obey(frame: TunnelFrame, streams: ProcessStreams, care: ProcessCare): Promise<void> {
  switch (frame.kind) {
    case 'data':
      await streams.write(frame.bytes);
      return;
    case 'resize':
      await streams.resize(frame.size);
      return;
    case 'signal':
      await streams.signal(frame.signal);
      return;
    case 'stop':
      care.stop(frame.graceMs);
      return;
    case 'eof':
      await streams.closeInput();
      return;
    case 'exit':
    case 'error':
    case 'image':
    case 'pull':
    case 'usage':
      // Words of an agent; a client has no reason to say them.
  }
}
