/** `cp SOURCE DESTINATION`: files between this machine and a task, as a tar through a tunnel. */
import path from 'node:path';
import { isClusterError, ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import type { Tunnel } from '#model/tunnel.ts';
import { baseName, firstEntryKind, parseCopyEnd, planCopy } from '../copy-target.ts';
import type { CopyEnd, PathKind } from '../copy-target.ts';
import { localKind, receiveInto } from '../local-copy-fs.ts';
import { listNamespace, UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { packTar, unpackTar } from '../tar-process.ts';
import { requireRunningTask } from '../target.ts';
import { receiveOutput, sendBytes, tunnelError } from './tunnel-flow.ts';

export async function copyFiles(shell: Shell, sourceText: string, destinationText: string): Promise<void> {
  const source = parseCopyEnd(sourceText);
  const destination = parseCopyEnd(destinationText);
  if (source.kind === 'task' && destination.kind === 'local') {
    await copyOut(shell, source, destination.path);
  } else if (source.kind === 'local' && destination.kind === 'task') {
    await copyIn(shell, source.path, destination);
  } else {
    throw new UsageError('one of source and destination is TARGET:PATH, the other a local path');
  }
}

async function copyOut(shell: Shell, source: Extract<CopyEnd, { readonly kind: 'task' }>, destination: string): Promise<void> {
  const task = await findTask(shell, source.target);
  const kind = await probe(shell, task, source.path);
  const plan = planCopy({ path: source.path, kind }, { path: destination, kind: await localKind(destination) });
  const tunnel = await openCopy(shell, task, 'out', source.path);
  try {
    await receiveInto(plan, async staging => { await unpackTar(bytesOf(tunnel), staging); });
  } finally {
    tunnel.close();
  }
}

async function copyIn(shell: Shell, source: string, destination: Extract<CopyEnd, { readonly kind: 'task' }>): Promise<void> {
  const task = await findTask(shell, destination.target);
  const plan = planCopy({ path: source, kind: await localKind(source) }, { path: destination.path, kind: await probe(shell, task, destination.path) });
  const clean = path.resolve(source);
  const tunnel = await openCopy(shell, task, 'in', plan.directory);
  try {
    const end = receiveOutput(shell, tunnel);
    end.catch(() => { /* awaited below: what the agent says explains a send that failed */ });
    await sendTar(tunnel, plan.name === undefined ? packTar(clean, '.', undefined) : packTar(path.dirname(clean), baseName(clean), plan.name))
      .catch(async (error: unknown) => { await end; throw error; });
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
async function probe(shell: Shell, task: TaskId, place: string): Promise<PathKind> {
  const tunnel = await openCopy(shell, task, 'out', place);
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

async function findTask(shell: Shell, target: string): Promise<TaskId> {
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  return requireRunningTask(target, await client.view(namespace === undefined ? {} : { namespace })).task.id;
}

async function openCopy(shell: Shell, task: TaskId, direction: 'in' | 'out', place: string): Promise<Tunnel> {
  const client = await shell.connect();
  return client.openTunnel({ task, spec: { kind: 'copy', direction, path: place } }, shell.signal);
}
