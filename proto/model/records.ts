/** Records of etcd that no program is shown. */
import type { Digest } from './digest.ts';
import type { AppId, NodeId } from './ids.ts';
import type { Node } from './node.ts';
import type { ApplyOutcome } from './ports.ts';

/** A join token; the secret itself is nowhere. Written by ControlApi, then once by the join that uses it. */
export interface JoinTokenRecord {
  /** SHA-256 of the secret in lower-case hex. */
  readonly hash: string;
  readonly expiresAtMs: number;
  /** Node that joined with it: it works for no other. */
  readonly usedBy?: string;
  readonly usedAtMs?: number;
  readonly createdAtMs: number;
  /** The only node that may join with it; absent: any name that is free. */
  readonly node?: string;
}

/** What an operator chose for a Node. */
export type NodeWishes = Pick<Node, 'availability' | 'labels' | 'taints'>;

/** Certificates of this name that were issued until `removedAtMs` are revoked: by a removal, a replacement or a later join. */
export interface RemovedNode {
  readonly node: NodeId;
  readonly removedAtMs: number;
  /** For the machine that replaces the node: inherited at its first registration. */
  readonly replaced?: NodeWishes;
}

/** What a write answered, so that the same request id answers the same. Kept an hour. */
export interface RequestRecord {
  readonly requestId: string;
  readonly createdAtMs: number;
  /** HMAC of the request under a secrets key; empty in records of older controllers. */
  readonly fingerprint: Uint8Array;
  readonly outcome:
    | { readonly kind: 'done' }
    | { readonly kind: 'applied'; readonly outcome: ApplyOutcome }
    | { readonly kind: 'secret'; readonly version: number }
    /** The token is sealed as secrets are. */
    | { readonly kind: 'token'; readonly expiresAtMs: number; readonly keyId: string; readonly nonce: Uint8Array; readonly sealed: Uint8Array }
    | { readonly kind: 'tagged'; readonly image: string; readonly digest: Digest };
}

/** Set by `init`; `clusterId` names the cluster for ever. */
export interface ClusterSettings {
  readonly clusterId: string;
  /** Registry of image references that name none, e.g. `docker.io`. */
  readonly defaultRegistry: string;
  readonly createdAtMs: number;
}

/** A saved plan: what it was made from. Kept an hour. */
/** An App as it was planned. Digests are SHA-256 in lower-case hex. */
export interface PlannedApp {
  readonly id: AppId;
  readonly specSha256: string;
  /** The newest version of each external secret that it names. */
  readonly secrets: readonly { readonly name: string; readonly version: number; readonly createdAtMs: number }[];
  /** Of the policy and the quota of its namespace. Empty: an older controller made the plan. */
  readonly namespaceSha256: string;
}

export interface PlanRecord {
  readonly id: string;
  readonly baseRevision: number;
  readonly apps: readonly PlannedApp[];
  /** SHA-256 of the ids of all nodes and services: one that went leaves no revision behind. */
  readonly membersSha256: string;
  readonly createdAtMs: number;
}

/** A namespace's login at one registry; the password is sealed by the cluster's secrets key. Written by ControlApi. */
export interface RegistryLoginRecord {
  readonly namespace: string;
  readonly registry: string;
  readonly username: string;
  /** First 8 hex of the SHA-256 of the key. */
  readonly keyId: string;
  readonly nonce: Uint8Array;
  /** Ciphertext followed by the 16-byte tag. */
  readonly sealed: Uint8Array;
  readonly createdAtMs: number;
}
