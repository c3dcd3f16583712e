import { UndoStack } from '#kit/undo-stack.ts';
import type { NodeDns } from './dns/ports.ts';
import type { NodeNetwork } from './network/ports.ts';
import type { ContainerRuntime } from './runtime/ports.ts';
import type { RootfsSnapshotter } from './snapshot/ports.ts';
import type { Volumes } from './volume/ports.ts';

export interface LeaveParts {
  readonly runtime: Pick<ContainerRuntime, 'list' | 'remove'>;
  readonly snapshots: Pick<RootfsSnapshotter, 'list' | 'remove'>;
  readonly volumes: Pick<Volumes, 'list' | 'remove'>;
  readonly network: Pick<NodeNetwork, 'tearDown'>;
  readonly dns: Pick<NodeDns, 'tearDown'>;
  readonly endLogWriter: () => Promise<void>;
  readonly removeCgroup: () => Promise<void>;
  /** The mounts of the runtimes' programs. */
  readonly removePrograms: () => Promise<void>;
  /** Directories of the node's state; named volumes are in one of them. */
  readonly directories: readonly string[];
  /** Deletes a directory, through no mount. */
  readonly removeTree: (directory: string) => Promise<void>;
  readonly forgetIdentity: () => Promise<void>;
}

/** Takes all of Gantry off the machine: containers, network, names, state. Run while no agent runs; may be repeated. */
export async function leaveCluster(parts: LeaveParts): Promise<void> {
  await using undo = new UndoStack();
  undo.push('certificate', async () => { await parts.forgetIdentity(); });
  for (const directory of parts.directories) {
    undo.push(`directory ${directory}`, async () => { await parts.removeTree(directory); });
  }
  undo.push('programs', async () => { await parts.removePrograms(); });
  undo.push('control group', async () => { await parts.removeCgroup(); });
  undo.push('network', async () => { await parts.network.tearDown(); });
  undo.push('names', async () => { await parts.dns.tearDown(); });
  undo.push('log writer', async () => { await parts.endLogWriter(); });
  for (const id of await parts.volumes.list()) {
    undo.push(`files of ${id}`, async () => { await parts.volumes.remove(id); });
  }
  for (const id of await parts.snapshots.list()) {
    undo.push(`root file system ${id}`, async () => { await parts.snapshots.remove(id); });
  }
  for (const id of await parts.runtime.list()) {
    undo.push(`container ${id}`, async () => { await parts.runtime.remove(id); });
  }
}
