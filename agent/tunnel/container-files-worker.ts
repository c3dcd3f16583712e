/**
 * Runs the thread of one copy between files of a container and a client. container-files-client.ts
 * starts it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { ClusterError } from '#model/errors.ts';
import type { ErrorCode } from '#model/errors.ts';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { archiveFiles, FileUnpacking } from './container-files-fs.ts';

export interface CopyOrder {
  readonly direction: 'in' | 'out';
  readonly container: ProcessIdentity;
  readonly path: string;
}

/**
 * Command; each except `stop` gets one answer. `take` has a piece of the archive of the client,
 * none at its end; `give` requests one.
 */
export type CopyCommand = { readonly kind: 'give' | 'stop' } | { readonly kind: 'take'; readonly bytes?: Uint8Array };

/** Answer; `bytes` is absent at the end. */
export type CopyAnswer = { readonly bytes?: Uint8Array } | { readonly code: ErrorCode | undefined; readonly message: string };

/**
 * Minimum size of a piece except the last: a tar of small files would otherwise need a message per
 * block.
 */
const PIECE_BYTES = 65_536;

const order = workerData as CopyOrder;
const port = parentPort;
let archive: Generator<Uint8Array> | undefined;
let unpacking: FileUnpacking | undefined;

function answer(command: CopyCommand): CopyAnswer {
  if (command.kind !== 'take') return give();
  unpacking ??= new FileUnpacking(order.container, order.path);
  if (command.bytes === undefined) unpacking.end();
  else unpacking.write(command.bytes);
  return {};
}

function give(): CopyAnswer {
  archive ??= archiveFiles(order.container, order.path);
  const pieces: Uint8Array[] = [];
  for (let length = 0; length < PIECE_BYTES;) {
    const next = archive.next();
    if (next.done === true) break;
    pieces.push(next.value);
    length += next.value.length;
  }
  return pieces.length === 0 ? {} : { bytes: Buffer.concat(pieces) };
}

function failureOf(error: unknown): CopyAnswer {
  return { code: error instanceof ClusterError ? error.code : undefined, message: error instanceof Error ? error.message : String(error) };
}

/** Closes all descriptors: the end of a thread does not close them. */
function stop(): void {
  archive?.return(undefined);
  unpacking?.close();
  port?.close();
}

port?.on('message', (command: CopyCommand) => {
  if (command.kind === 'stop') {
    stop();
    return;
  }
  try {
    port.postMessage(answer(command));
  } catch (error) {
    port.postMessage(failureOf(error));
  }
});
