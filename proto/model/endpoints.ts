/** What every node's proxy, DNS and vxlan must know; one set for the whole cluster, made from one ClusterSnapshot. */
import type { NodeId, ServiceId, TaskId } from './ids.ts';
import type { PublishedPort, ServiceKind } from './service.ts';

export interface Endpoint {
  readonly task: TaskId;
  readonly node: NodeId;
  readonly address: string;
  readonly slot: number;
  /** Only healthy endpoints get traffic and DNS names. One that is not is of a node that is not heard: connections to it end. */
  readonly isHealthy: boolean;
}

export interface ServiceEndpoints {
  readonly id: ServiceId;
  readonly namespace: string;
  readonly app: string;
  readonly service: string;
  readonly kind: ServiceKind;
  readonly virtualIp: string;
  readonly ports: readonly PublishedPort[];
  /** Sorted by task id. */
  readonly endpoints: readonly Endpoint[];
}

export interface PeerNode {
  readonly id: NodeId;
  readonly subnetIndex: number;
  /** Underlay IPv4 address. */
  readonly address: string;
}

/** `generation` is the etcd revision it was made from: it only rises. Lists are sorted by id. */
export interface EndpointSet {
  readonly generation: number;
  readonly services: readonly ServiceEndpoints[];
  readonly nodes: readonly PeerNode[];
}
