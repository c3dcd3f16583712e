/** Carries a tunnel's frames to and from the terminal. */
import { ClusterError, ERROR_CODES } from '#model/errors.ts';
import { MAX_FRAME_BYTES } from '#model/tunnel.ts';
import type { Tunnel, TunnelFrame } from '#model/tunnel.ts';
import type { Shell } from '../ports.ts';
import { ProcessExit } from '../exit-code.ts';
import { DETACH_START, followDetachKeys } from '../terminal/detach-keys.ts';

/** As docker counts them. */
const ENDING_SIGNALS = 3;

export interface Interaction {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly isDetachable: boolean;
  /** Signals of the terminal go to the process; the third of them ends us. */
  readonly isProxy?: boolean;
}

export type InteractionEnd = { readonly kind: 'exit'; readonly code: number } | { readonly kind: 'detached' };

/**
 * Runs until the process ended or the person detached. The terminal is raw meanwhile, where both ends are terminals, and is
 * restored on every path. Output is written before more is read, so a slow terminal slows the process.
 */
export async function interact(shell: Shell, tunnel: Tunnel, how: Interaction): Promise<InteractionEnd> {
  const { terminal } = shell;
  const stop = new AbortController();
  const signal = AbortSignal.any([shell.signal, stop.signal]);
  const isRaw = how.tty && how.stdin && terminal.isInputTerminal;
  using _raw = isRaw ? await terminal.rawMode() : undefined;
  using _resize = how.tty ? terminal.onResize(() => { sendSize(shell, tunnel); }) : undefined;
  using _signals = how.isProxy === true ? passSignals(shell, tunnel, stop) : undefined;
  const input = how.stdin ? sendInput(shell, tunnel, { signal, isDetachable: how.isDetachable && isRaw }) : undefined;
  try {
    const output = receiveOutput(shell, tunnel).then(code => ({ kind: 'exit', code }) as const);
    output.catch(() => { /* reported by whoever wins the race below, or late, when the person has detached already */ });
    return await Promise.race([output, ...(input === undefined ? [] : [untilDetached(input)]), rejectOnAbort(signal)]);
  } finally {
    stop.abort();
    tunnel.close();
  }
}

/** Writes the process's output until its last frame. @throws ClusterError what the agent said, or UNAVAILABLE when the tunnel broke off */
export async function receiveOutput(shell: Shell, tunnel: Tunnel): Promise<number> {
  for await (const frame of tunnel.frames) {
    const code = await takeFrame(shell, frame);
    if (code !== undefined) {
      return code;
    }
  }
  throw new ClusterError('UNAVAILABLE', 'the connection to the task broke off');
}

/** The error that a tunnel's last frame stands for. */
export function tunnelError(frame: Extract<TunnelFrame, { readonly kind: 'error' }>): ClusterError {
  return new ClusterError(ERROR_CODES.find(code => code === frame.code) ?? 'INTERNAL', frame.message);
}

async function takeFrame(shell: Shell, frame: TunnelFrame): Promise<number | undefined> {
  switch (frame.kind) {
    case 'data':
      await (frame.stream === 'stderr' ? shell.terminal.writeError(frame.bytes) : shell.terminal.write(frame.bytes));
      return undefined;
    case 'exit':
      return frame.code;
    case 'error':
      throw tunnelError(frame);
    case 'eof':
    case 'resize':
    case 'signal':
    case 'stop':
    case 'image':
    case 'pull':
    case 'usage':
      return undefined;
  }
}

/** Resolves with true when the person pressed the detach keys, with false when the input ended. */
async function sendInput(shell: Shell, tunnel: Tunnel, how: { readonly signal: AbortSignal; readonly isDetachable: boolean }): Promise<boolean> {
  let state = DETACH_START;
  for await (const chunk of shell.terminal.input(how.signal)) {
    const step = how.isDetachable ? followDetachKeys(state, chunk) : { state, pass: chunk, isDetached: false };
    state = step.state;
    await sendBytes(tunnel, step.pass);
    if (step.isDetached) {
      return true;
    }
  }
  if (!how.signal.aborted) {
    await tunnel.send({ kind: 'eof' });
  }
  return false;
}

/** In frames of at most 64 KiB, each taken before the next. */
export async function sendBytes(tunnel: Tunnel, bytes: Uint8Array): Promise<void> {
  for (let start = 0; start < bytes.byteLength; start += MAX_FRAME_BYTES) {
    await tunnel.send({ kind: 'data', stream: 'stdin', bytes: bytes.subarray(start, start + MAX_FRAME_BYTES) });
  }
}

function passSignals(shell: Shell, tunnel: Tunnel, stop: AbortController): Disposable {
  let count = 0;
  return shell.terminal.onSignal(signal => {
    count += 1;
    if (count < ENDING_SIGNALS) {
      tunnel.send({ kind: 'signal', signal }).catch(() => { /* the tunnel is closing; its end is reported by the reader */ });
    } else {
      stop.abort(new ProcessExit(1));
    }
  });
}

function sendSize(shell: Shell, tunnel: Tunnel): void {
  const size = shell.terminal.size();
  if (size !== undefined) {
    tunnel.send({ kind: 'resize', size }).catch(() => { /* the tunnel is closing; its end is reported by the reader */ });
  }
}

/** Settles only for a detach: an input that ended, or broke with its tunnel, leaves the answer to the output. */
async function untilDetached(input: Promise<boolean>): Promise<InteractionEnd> {
  const isDetached = await input.catch(() => false);
  return isDetached ? { kind: 'detached' } : await new Promise<never>(() => undefined);
}

async function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return await new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => { reject(signal.reason as Error); }, { once: true });
  });
}
