import { MAX_FRAME_BYTES } from '#model/tunnel.ts';
import type { Tunnel, TunnelFrame } from '#model/tunnel.ts';
import type { ProcessStreams } from '../runtime/ports.ts';

/** Additional requests of the client of an attachment. */
export interface ProcessCare {
  readonly stop: (graceMs: number | undefined) => void;
}

/** For a process that the tunnel started: it ends with the tunnel. */
export const OWN_PROCESS: ProcessCare = { stop: () => undefined };

/**
 * Joins a tunnel with a process until its output ended, then sends the exit code.
 * Both directions run at the pace of the slower end. It ends when the client is gone (an exec ends
 * its process too), and when a request of the client is refused, such as an unknown signal.
 * @param signal  aborts when the client is gone, also if it sends nothing; it may have aborted
 * while the process started
 * @throws the refusal, after the process was closed
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

/** Sends `bytes` as data frames within the maximum size of a frame. */
export async function sendBytes(tunnel: Tunnel, stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += MAX_FRAME_BYTES) {
    await tunnel.send({ kind: 'data', stream, bytes: bytes.subarray(offset, offset + MAX_FRAME_BYTES) });
  }
}

/** Forwards frames of the client to the process; returns when the client is gone. */
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
      // Frames of an agent, which a client does not send.
  }
}
