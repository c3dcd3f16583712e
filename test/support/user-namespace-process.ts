import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { startProcess } from '#kit/command-process.ts';
import type { IdMapping } from '../../agent/snapshot/ports.ts';

/** A user namespace of 65,536 ids from `hostBase` on, held by a process of its own. */
export interface HeldUserNamespace extends AsyncDisposable {
  readonly mapping: Required<IdMapping>;
}

export async function holdUserNamespace(hostBase: number): Promise<HeldUserNamespace> {
  const child = startProcess('unshare', ['-U', 'sh', '-c', 'echo ready; exec sleep 600'], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.stdout === null || child.pid === undefined) throw new Error('unshare did not start');
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  for (const map of ['uid_map', 'gid_map']) {
    await writeFile(`/proc/${String(child.pid)}/${map}`, `0 ${String(hostBase)} 65536`);
  }
  return {
    mapping: { userNamespacePath: `/proc/${String(child.pid)}/ns/user`, hostBase },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
