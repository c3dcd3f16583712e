/**
 * Holds the attach sockets of all containers: blocks in poll(2) while there are any, else waits for a command.
 *
 * Packets go to the agent as they come, at most WINDOW of them untaken per attachment, so a slow client fills the socket
 * and not the agent's memory. conmon waits for a full socket, and with it the container and its log: of a client that takes
 * nothing for STALL_MS what comes is dropped until it takes again.
 *
 * Source: tried with conmon 2.1.12; conmon, src/conn_sock.c, write_back_to_remote_consoles
 */
import { closeSync, readSync } from 'node:fs';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { connectSeqpacket, pollFiles, POLLIN, POLLOUT, receivePacket, sendPacket, shutdownWrite } from '../kernel/seqpacket-syscall.ts';

/** What the agent tells this worker; `key` names one attachment. */
export type AttachCommand =
  | { readonly kind: 'open'; readonly key: number; readonly path: string }
  | { readonly kind: 'write'; readonly key: number; readonly bytes: Uint8Array }
  | { readonly kind: 'end'; readonly key: number }
  /** The consumer took a chunk: one more may come. */
  | { readonly kind: 'taken'; readonly key: number }
  | { readonly kind: 'close'; readonly key: number };

/** What this worker tells the agent. */
export type AttachReport =
  | { readonly kind: 'opened'; readonly key: number }
  | { readonly kind: 'failed'; readonly key: number; readonly message: string }
  | { readonly kind: 'data'; readonly key: number; readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  | { readonly kind: 'written'; readonly key: number }
  | { readonly kind: 'closed'; readonly key: number };

interface Attachment {
  readonly key: number;
  readonly fd: number;
  readonly unsent: Uint8Array[];
  untaken: number;
  /** Monotonic; since when WINDOW packets wait, if they do. */
  fullSinceMs: number;
  isEnding: boolean;
}

const WINDOW = 16;
const STALL_MS = 10_000;
/** How long the thread may not hear that its process ends. */
const POLL_TIMEOUT_MS = 500;
/** Above conmon's largest packet. Source: conmon, src/conn_sock.h, CONN_SOCK_BUF_SIZE (32 KiB) and one byte for the stream */
const PACKET_BYTES = 65_536;
/** First byte of a packet. Source: conmon, src/conn_sock.h, STDOUT_PIPE and STDERR_PIPE */
const STREAMS: Readonly<Record<number, 'stdout' | 'stderr'>> = { 2: 'stdout', 3: 'stderr' };

const { wakeupFd } = workerData as { readonly wakeupFd: number };
const attachments = new Map<number, Attachment>();
const packet = Buffer.alloc(PACKET_BYTES);
const counter = Buffer.alloc(8);

parentPort?.on('message', (command: AttachCommand) => {
  obey(command);
  serve();
});

/** Runs while there are attachments; commands are read between polls. */
function serve(): void {
  while (attachments.size > 0) {
    const wanted = new Map([[wakeupFd, POLLIN]]);
    for (const attachment of attachments.values()) {
      const events = (isWaitedFor(attachment) ? 0 : POLLIN) | (attachment.unsent.length > 0 ? POLLOUT : 0);
      if (events !== 0) {
        wanted.set(attachment.fd, events); // asked for nothing, poll would still tell of a hang-up, again and again
      }
    }
    const ready = new Set(pollFiles(wanted, POLL_TIMEOUT_MS));
    if (ready.has(wakeupFd)) {
      readSync(wakeupFd, counter);
    }
    for (const attachment of [...attachments.values()].filter(({ fd }) => ready.has(fd))) {
      step(attachment);
    }
    for (let next = nextCommand(); next !== undefined; next = nextCommand()) {
      obey(next);
    }
  }
}

function nextCommand(): AttachCommand | undefined {
  return parentPort === null ? undefined : (receiveMessageOnPort(parentPort) as { readonly message: AttachCommand } | undefined)?.message;
}

function obey(command: AttachCommand): void {
  if (command.kind === 'open') {
    open(command.key, command.path);
    return;
  }
  const attachment = attachments.get(command.key);
  if (attachment === undefined) {
    return; // it closed meanwhile, which was reported
  }
  switch (command.kind) {
    case 'write':
      attachment.unsent.push(command.bytes);
      flush(attachment);
      return;
    case 'end':
      attachment.isEnding = true;
      flush(attachment);
      return;
    case 'taken':
      attachment.untaken -= 1;
      return;
    case 'close':
      close(attachment);
  }
}

function open(key: number, path: string): void {
  try {
    attachments.set(key, { key, fd: connectSeqpacket(path), unsent: [], untaken: 0, fullSinceMs: 0, isEnding: false });
    report({ kind: 'opened', key });
  } catch (error) {
    report({ kind: 'failed', key, message: error instanceof Error ? error.message : String(error) });
  }
}

function step(attachment: Attachment): void {
  flush(attachment);
  if (!attachments.has(attachment.key) || isWaitedFor(attachment)) {
    return;
  }
  const length = receivePacket(attachment.fd, packet);
  if (length === 0) {
    close(attachment);
  } else if (length !== undefined && !isFull(attachment)) {
    attachment.untaken += 1;
    attachment.fullSinceMs = performance.now();
    report({ kind: 'data', key: attachment.key, stream: STREAMS[packet[0] ?? 0] ?? 'stdout', bytes: Uint8Array.from(packet.subarray(1, length)) });
  }
}

function isFull({ untaken }: Attachment): boolean {
  return untaken >= WINDOW;
}

/** Full, and not for so long that what comes is dropped. */
function isWaitedFor(attachment: Attachment): boolean {
  return isFull(attachment) && performance.now() - attachment.fullSinceMs < STALL_MS;
}

function flush(attachment: Attachment): void {
  try {
    for (let bytes = attachment.unsent[0]; bytes !== undefined && sendPacket(attachment.fd, bytes); bytes = attachment.unsent[0]) {
      attachment.unsent.shift();
      report({ kind: 'written', key: attachment.key });
    }
  } catch {
    close(attachment); // the peer is gone, and the report says so
    return;
  }
  if (attachment.isEnding && attachment.unsent.length === 0) {
    shutdownWrite(attachment.fd);
  }
}

function close(attachment: Attachment): void {
  attachments.delete(attachment.key);
  closeSync(attachment.fd);
  report({ kind: 'closed', key: attachment.key });
}

function report(message: AttachReport): void {
  parentPort?.postMessage(message);
}
