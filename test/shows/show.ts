import type { DevCluster } from '../support/dev-cluster.ts';

/** Where a show plays: the running local cluster, and a person who reads. */
export interface Stage {
  readonly cluster: DevCluster;
  /** Port of the example `hello` on this machine. */
  readonly helloPort: number;
  /** A fact that is worth seeing. */
  readonly saw: (fact: string) => void;
  /** @throws ShowFailed with `found` unless it is so */
  readonly must: (claim: string, isSo: boolean, found?: unknown) => void;
}

/** One promise, shown on the cluster that `npm start` made. It leaves the cluster as it found it, also when it fails. */
export interface Show {
  readonly about: string;
  play(stage: Stage): Promise<void>;
}

export class ShowFailed extends Error {
  override readonly name = 'ShowFailed';
}
