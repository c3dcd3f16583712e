/** `cp SOURCE DESTINATION`: files between this machine and a task, as a tar through a tunnel; `-` is that tar itself. */
import path from 'node:path';
import { isClusterError, ClusterError } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';
import type { TaskTunnelRequest, Tunnel } from '#model/tunnel.ts';
import { baseName, firstEntryKind, parseCopyEnd, planCopy } from '../copy-target.ts';
import type { PathKind } from '../copy-target.ts';
import { localKind, receiveInto } from '../local-copy-fs.ts';
import { UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { packTar, unpackTar } from '../tar-process.ts';
import { findRunning, inContainer } from './exec-flow.ts';
import { receiveOutput, sendBytes, tunnelError } from './tunnel-flow.ts';

/** One container, as a tunnel names it. */
type CopyPlace = Pick<TaskTunnelRequest, 'task' | 'container'>;

/** `-` is a tar on stdin or stdout, as in docker. */
const ARCHIVE = '-';

export async function copyFiles(shell: Shell, sourceText: string, destinationText: string, flags: { readonly container?: string }): Promise<void> {
  const source = parseCopyEnd(sourceText);
  const destination = parseCopyEnd(destinationText);
  if (source.kind === 'task' && destination.kind === 'local') {
    const place = await findPlace(shell, source.target, flags.container);
    await (destination.path === ARCHIVE ? writeArchive(shell, place, source.path) : copyOut(shell, place, source.path, destination.path));
  } else if (source.kind === 'local' && destination.kind === 'task') {
    const place = await findPlace(shell, destination.target, flags.container);
    await (source.path === ARCHIVE ? readArchive(shell, place, destination.path) : copyIn(shell, place, source.path, destination.path));
  } else {
    throw new UsageError('one of source and destination is TARGET:PATH, the other a local path, or - for a tar');
  }
}

async function writeArchive(shell: Shell, place: CopyPlace, source: string): Promise<void> {
  const tunnel = await openCopy(shell, place, 'out', source);
  try {
    for await (const bytes of bytesOf(tunnel)) {
      await shell.terminal.write(bytes);
    }
  } finally {
    tunnel.close();
  }
}

async function readArchive(shell: Shell, place: CopyPlace, directory: string): Promise<void> {
  if (await probe(shell, place, directory) !== 'directory') {
    throw new ClusterError('FAILED_PRECONDITION', `${quoted(directory)} must be a directory: a tar is unpacked into it`);
  }
  await sendArchive(shell, place, directory, shell.terminal.input(shell.signal));
}

async function copyOut(shell: Shell, place: CopyPlace, source: string, destination: string): Promise<void> {
  const kind = await probe(shell, place, source);
  const plan = planCopy({ path: source, kind }, { path: destination, kind: await localKind(destination) });
  const tunnel = await openCopy(shell, place, 'out', source);
  try {
    await receiveInto(plan, async staging => { await unpackTar(bytesOf(tunnel), staging); });
  } finally {
    tunnel.close();
  }
}

async function copyIn(shell: Shell, place: CopyPlace, source: string, destination: string): Promise<void> {
  const plan = planCopy({ path: source, kind: await localKind(source) }, { path: destination, kind: await probe(shell, place, destination) });
  const clean = path.resolve(source);
  await sendArchive(shell, place, plan.directory, plan.name === undefined ? packTar(clean, '.', undefined) : packTar(path.dirname(clean), baseName(clean), plan.name));
}

async function sendArchive(shell: Shell, place: CopyPlace, directory: string, tar: AsyncIterable<Uint8Array>): Promise<void> {
  const tunnel = await openCopy(shell, place, 'in', directory);
  try {
    const end = receiveOutput(shell, tunnel);
    end.catch(() => { /* awaited below: what the agent says explains a send that failed */ });
    await Promise.race([sendTar(tunnel, tar), end]).catch(async (error: unknown) => { await end; throw error; });
    const code = await end;
    if (code !== 0) {
      throw new ClusterError('FAILED_PRECONDITION', `the copy ended with ${String(code)}`);
    }
  } finally {
    tunnel.close();
  }
}

async function sendTar(tunnel: Tunnel, tar: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of tar) {
    await sendBytes(tunnel, chunk);
  }
  await tunnel.send({ kind: 'eof' });
}

/** The tar that the agent sends. @throws ClusterError what the agent said, or UNAVAILABLE for an end without a last frame */
async function* bytesOf(tunnel: Tunnel): AsyncGenerator<Uint8Array> {
  for await (const frame of tunnel.frames) {
    if (frame.kind === 'error') {
      throw tunnelError(frame);
    }
    if (frame.kind === 'exit' || frame.kind === 'eof') {
      return;
    }
    if (frame.kind === 'data') {
      yield frame.bytes;
    }
  }
  throw new ClusterError('UNAVAILABLE', 'the connection to the task broke off');
}

/** Looks at the first entry of what a copy out would send, and no further. */
async function probe(shell: Shell, place: CopyPlace, file: string): Promise<PathKind> {
  const tunnel = await openCopy(shell, place, 'out', file);
  let head = new Uint8Array();
  try {
    for await (const bytes of bytesOf(tunnel)) {
      head = Buffer.concat([head, bytes]);
      const kind = firstEntryKind(head);
      if (kind !== undefined) {
        return kind;
      }
    }
    return 'absent';
  } catch (error) {
    if (isClusterError(error, 'NOT_FOUND')) {
      return 'absent';
    }
    throw error;
  } finally {
    tunnel.close();
  }
}

async function findPlace(shell: Shell, target: string, container: string | undefined): Promise<CopyPlace> {
  const { task } = await findRunning(shell, target, container);
  return { task: task.id, ...inContainer(container) };
}

async function openCopy(shell: Shell, place: CopyPlace, direction: 'in' | 'out', file: string): Promise<Tunnel> {
  const client = await shell.connect();
  return client.openTunnel({ ...place, spec: { kind: 'copy', direction, path: file } }, shell.signal);
}
