import type { ControlClient } from '#model/ports.ts';
import type { Clock } from '#kit/clock.ts';
import type { DevLayout } from './layout.ts';

/** What the flows of local clusters need of the CLI. */
export interface DevParts {
  readonly clock: Clock;
  /** Directory of the launchers clusterctl, gantry-controller, gantry-agent. */
  readonly binDir: string;
  /** One line for the person who waits. */
  readonly say: (line: string) => Promise<void>;
  /** A client with the cluster's operator certificate. */
  readonly connect: (layout: DevLayout) => Promise<ControlClient>;
  /** Files of contexts that `saveContext` writes: of the current user, and of the one behind sudo. */
  readonly contextFiles: () => Promise<readonly string[]>;
  /** Makes the cluster known as a context of the CLI. */
  readonly saveContext: (layout: DevLayout) => Promise<void>;
  /** Forgets it, in the files of now and in `files`. */
  readonly removeContext: (name: string, files: readonly string[]) => Promise<void>;
  readonly signal: AbortSignal;
}
