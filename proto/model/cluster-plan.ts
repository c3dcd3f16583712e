/** What an apply, or a change of nodes, would do to the tasks of the cluster; and why a task is where it is. Computed by controllers. */
import type { NodeId, ServiceId, TaskId } from './ids.ts';
import type { Resources } from './resources.ts';
import type { DeviceCount } from './service.ts';

/** What becomes of one slot. `move` keeps the template and changes the node; `replace` is a new task of another template, wherever. */
export interface PlannedTask {
  readonly kind: 'start' | 'stop' | 'move' | 'replace' | 'keep';
  readonly service: ServiceId;
  readonly slot: number;
  /** The task that is there now; absent for `start`. */
  readonly task?: TaskId;
  /** Where the slot's task runs in the end; for `stop` where it ran. */
  readonly node: NodeId;
  /** For `move` and `replace`: where the task was before. */
  readonly fromNode?: NodeId;
  readonly reason: string;
}

/** One rule that keeps a task off nodes; nodes with the same cause and remedy are one reason. */
export interface RuleReason {
  /** `memory`, `cpu`, `taint spot`, `require tier == web`, ... */
  readonly rule: string;
  readonly nodes: readonly NodeId[];
  /** The most that one of the nodes has. */
  readonly have: string;
  readonly need: string;
  readonly sentence: string;
}

/** One change after which the task is placed. `path` is a manifest's; `change` is what is said of the node. */
export type FixEdit =
  | { readonly kind: 'field'; readonly path: string; readonly value: string }
  | { readonly kind: 'node'; readonly node: string; readonly change: string };

export interface Fix {
  readonly sentence: string;
  readonly edit: FixEdit;
  /** A call of clusterctl that makes the edit; absent where there is none, and from controllers that do not know it. */
  readonly command?: string;
}

export interface UnplacedService {
  readonly service: ServiceId;
  readonly count: number;
  readonly reasons: readonly RuleReason[];
  /** Absent where no single change helps. */
  readonly fix?: Fix;
}

/** One field of a service that differs from what is in force. Absent sides: the service is new, or goes. */
export interface FieldChange {
  readonly service: ServiceId;
  readonly path: string;
  readonly before?: string;
  readonly after?: string;
}

/** What is taken of a node, before and after. */
export interface NodePicture {
  readonly node: NodeId;
  readonly capacity: Resources;
  readonly before: Resources;
  readonly after: Resources;
}

export interface ClusterPlan {
  /** The etcd revision it was made from. */
  readonly baseRevision: number;
  readonly actions: readonly PlannedTask[];
  readonly unplaced: readonly UnplacedService[];
  readonly changes: readonly FieldChange[];
  readonly nodes: readonly NodePicture[];
  /** What still waits or failed when nothing moved any more, one sentence a service. */
  readonly notes: readonly string[];
  /** Of a saved plan: for `apply --plan`. */
  readonly planId?: string;
  /** Where an undo was asked for: the Revision that it goes back to. Absent from controllers that do not know undo in a plan, and planned none. */
  readonly undoneRevision?: number;
}

/** A node that is not there, for `--add-node`. */
export interface AddedNode {
  readonly name: NodeId;
  /** Processes that are not said are those of the other nodes; a disk that is not said is not limited. */
  readonly capacity: Resources;
  readonly labels: ReadonlyMap<string, string>;
  readonly taints: readonly string[];
  /** Empty: what the other nodes have. */
  readonly runtimes: readonly string[];
  /** Units of named devices; empty: none. */
  readonly devices: readonly DeviceCount[];
}

/** Why something is as it is. */
export interface WhyAnswer {
  /** `service/NS/APP/SVC` or `task/ID`. */
  readonly target: string;
  /** `running`, `pending`, `not on n2`, ... */
  readonly state: string;
  readonly reasons: readonly RuleReason[];
  readonly fix?: Fix;
}
