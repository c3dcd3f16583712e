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
  /** Makes the cluster known as a context of the CLI, and forgets it; for the user behind sudo too. */
  readonly saveContext: (layout: DevLayout) => Promise<void>;
  readonly removeContext: (name: string) => Promise<void>;
  readonly signal: AbortSignal;
}
