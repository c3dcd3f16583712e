/** What one manifest declares, and the numbered, immutable Revisions that its applies make. */
import type { AppId, NodeId, ServiceId, TaskId } from './ids.ts';
import type { ServiceSpec } from './service.ts';

/** A config as applied. `content` travels with the apply; stored, it is a blob named by its SHA-256 in lower-case hex. */
export interface ConfigSpec {
  readonly name: string;
  readonly content: Uint8Array;
}

/** `external` secrets exist in the namespace already; others are written with the apply. */
export type SecretSpec =
  | { readonly name: string; readonly kind: 'external' }
  | { readonly name: string; readonly kind: 'content'; readonly content: Uint8Array };

export interface VolumeSpec {
  readonly name: string;
  readonly perReplica: boolean;
  /** Wished size; shown, enforced where a driver can. */
  readonly sizeBytes?: number;
}

/** The unit of apply: lands whole or not at all. Lists are sorted by name. */
export interface AppSpec {
  readonly namespace: string;
  readonly name: string;
  readonly services: readonly ServiceSpec[];
  readonly configs: readonly ConfigSpec[];
  readonly secrets: readonly SecretSpec[];
  readonly volumes: readonly VolumeSpec[];
}

/** App record; its current Revision is `revision`. Written by ControlApi alone. */
export interface App {
  readonly id: AppId;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  /** Being deleted: its services stop, then the record goes. */
  readonly isDeleting: boolean;
  /** With `isDeleting`: the data of its volumes goes too. */
  readonly deletesVolumes: boolean;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Set for `run` Apps: removed this long after their job ended. */
  readonly expireAfterEndMs?: number;
}

/** Names of the immutable contents a Revision pins: config name -> blob SHA-256 hex, secret name -> version. */
export interface ContentPins {
  readonly configs: readonly { readonly name: string; readonly sha256: string }[];
  readonly secrets: readonly { readonly name: string; readonly version: number }[];
}

/** One apply, immutable. Digests are resolved. */
export interface Revision {
  readonly app: AppId;
  readonly number: number;
  readonly services: readonly ServiceSpec[];
  readonly volumes: readonly VolumeSpec[];
  readonly pins: ContentPins;
  readonly createdAtMs: number;
  /** What made it, where it was no apply: `undo to revision 3`, `update of the resources of web`. */
  readonly cause?: string;
}

/** What an operator asked of the rollout that is under way. An apply takes back all but the pause. */
export interface RolloutWish {
  /** Also of rollouts to come. */
  readonly isPaused: boolean;
  /** Canary steps, or green's switch, that need no more than their health to be left behind. */
  readonly promotedSteps: number;
  /** It goes back as a failed one does. */
  readonly isAborted: boolean;
}

/**
 * Desired state of one Service: what the reconciler reads. Written by ControlApi with its Revision (and by `scale`).
 * `templateHash` names the container spec with its pins: tasks that carry another one are out of date.
 */
export interface Service {
  readonly id: ServiceId;
  readonly namespace: string;
  readonly app: string;
  readonly name: string;
  readonly revision: number;
  readonly spec: ServiceSpec;
  readonly pins: ContentPins;
  readonly volumes: readonly VolumeSpec[];
  readonly templateHash: string;
  /** IPv4 virtual address, given once and kept for the Service's life. */
  readonly virtualIp: string;
  readonly isDeleting: boolean;
  /** Rises with each `restart`; part of `templateHash`. */
  readonly restartCount: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Absent: nothing was asked. */
  readonly rollout?: RolloutWish;
  /** One run of a cron of the App, made by the leader or by `runCron`: a job that no manifest declares. Its virtual IP is empty. */
  readonly cronRun?: CronRun;
  /** Absent: never scaled. */
  readonly scale?: ReplicaScale;
  /** Values of a newer program in it, not on the wire; absent: none. Its tasks are left as they are. */
  readonly notUnderstood?: readonly string[];
}

/** Replicas that `scale` or autoscaling set. A rollback to `revision` or an earlier one keeps them. */
export interface ReplicaScale {
  readonly replicas: number;
  /** The Service's at that time. */
  readonly revision: number;
}

export interface CronRun {
  /** Name of the cron in its App. */
  readonly cron: string;
  /** The time that it is for; of a manual one, when it was asked for. */
  readonly scheduledAtMs: number;
  readonly isManual: boolean;
}

/** What was decided of a cron's times. */
export interface CronStatus {
  /** Schedule, time zone and suspension that it was decided for: with others, counting begins anew. */
  readonly scheduleKey: string;
  /** Times up to this one were run or passed over. */
  readonly handledUntilMs: number;
  /** Time of the last run. */
  readonly lastScheduledAtMs?: number;
  readonly nextAtMs?: number;
}

/** A job that ended well: its slots stay done when their tasks are forgotten. */
export interface JobStatus {
  readonly templateHash: string;
  readonly completions: number;
  readonly endedAtMs: number;
}

export interface AutoscaleStatus {
  /** In force instead of the spec's, within its `min` and `max`. */
  readonly replicas: number;
  readonly changedAtMs: number;
  /** What was measured when it was set last. */
  readonly reason: string;
  /** Oldest first. Empty: `replicas` was all that was wanted in the stabilization time. */
  readonly wishes: readonly AutoscaleWish[];
  /** Why nothing is decided now. Absent: all that it scales by is known. */
  readonly problem?: string;
}

/** What was wanted in a tenth of the stabilization time, which ends `atMs`. */
export interface AutoscaleWish {
  readonly atMs: number;
  /** The most. */
  readonly replicas: number;
  readonly least: number;
}

/** Failures in a row of one slot's tasks. */
export interface CrashLoop {
  readonly slot: number;
  readonly failures: number;
  readonly notBeforeMs: number;
  /** The failed task that was counted last. */
  readonly task: TaskId;
}

/** A slot that fits nowhere. */
export interface PendingSlot {
  readonly slot: number;
  readonly reason: string;
  /** Where tasks of lower priority were told to stop for it: what gets free there is its own. */
  readonly node?: NodeId;
}

/** Slots that fit nowhere, and where the rollout is. Written by the leader alone. */
export interface ServiceStatus {
  readonly id: ServiceId;
  /** Revision the service was rolled out to last, healthy. */
  readonly settledRevision: number;
  readonly rollout: {
    readonly state: 'settled' | 'progressing' | 'waiting' | 'rolled_back' | 'failed' | 'paused' | 'awaiting_promotion';
    readonly reason: string;
    /** Revision being rolled out. */
    readonly revision: number;
    readonly startedAtMs: number;
    /** Since when every replica of it serves; absent before. `monitorMs` later it is settled. */
    readonly healthySinceMs?: number;
    /** Canary steps left behind, or 1 of blue_green once requests go to green. Absent: none. */
    readonly step?: number;
    /** `blue_green` while there are tasks of two templates: those of this one get the requests. */
    readonly activeTemplate?: string;
    /** Only with `progressDeadlineMs`, while tasks are being replaced. */
    readonly progress?: RolloutProgress;
  };
  /** All of them, or examples where there are many; `pendingCount` then has their number. */
  readonly pending: readonly PendingSlot[];
  readonly pendingCount?: number;
  /** New tasks of a crash-looping slot wait until then. One for each slot that failed: at most as many as replicas (10,000). */
  readonly crashLoops: readonly CrashLoop[];
  /** Only of a cron. */
  readonly cron?: CronStatus;
  readonly job?: JobStatus;
  /** Of earlier templates, the newest first: what was done of one is not done again when the service goes back to it. Absent: none. */
  readonly earlierJobs?: readonly JobStatus[];
  readonly autoscale?: AutoscaleStatus;
  /** Slots that get a task later in this rollout; ascending. Absent: none. */
  readonly planned?: readonly PlannedSlot[];
}

/** Most slots that served in the Revision at once, and since when there were no more. */
export interface RolloutProgress {
  readonly reached: number;
  readonly sinceMs: number;
}

/** The node that a slot gets at its turn, where it still fits there. */
export interface PlannedSlot {
  readonly slot: number;
  readonly node: NodeId;
}

/** A stored secret version: AES-256-GCM by the cluster's secrets key. Written by ControlApi. */
export interface SecretVersion {
  readonly namespace: string;
  readonly name: string;
  readonly version: number;
  /** First 8 hex of the SHA-256 of the key. */
  readonly keyId: string;
  readonly nonce: Uint8Array;
  /** Ciphertext followed by the 16-byte tag. */
  readonly sealed: Uint8Array;
  readonly createdAtMs: number;
}
