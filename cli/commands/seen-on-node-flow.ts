/** Asks the node of a task what it knows of the task. */
import { ClusterError } from '#model/errors.ts';
import type { ControlClient } from '#model/ports.ts';
import type { Task } from '#model/task.ts';
import type { Shell } from '../ports.ts';
import { tunnelError } from './tunnel-flow.ts';

export interface Means {
  readonly shell: Shell;
  readonly client: ControlClient;
}

/** What the task's node knows of it. @throws ClusterError */
export async function seenOnNode(task: Pick<Task, 'id' | 'node'>, { shell, client }: Means): Promise<unknown> {
  const tunnel = client.openTunnel({ task: task.id, spec: { kind: 'inspect' } }, shell.signal);
  try {
    const chunks: Uint8Array[] = [];
    for await (const frame of tunnel.frames) {
      if (frame.kind === 'error') throw tunnelError(frame);
      if (frame.kind === 'eof') return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
      if (frame.kind === 'data') chunks.push(frame.bytes);
    }
    throw new ClusterError('UNAVAILABLE', `node ${task.node} broke off its answer`);
  } finally {
    tunnel.close();
  }
}
