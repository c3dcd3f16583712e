/** Who a certificate belongs to: its one SAN URI, `spiffe://gantry/ROLE/NAME`. Source: SPIFFE-ID specification, section 2. */
import type { Peer } from './ports.ts';

export type PeerRole = Peer['role'];

export interface PeerName {
  readonly role: PeerRole;
  /** User name, node id or controller id. */
  readonly name: string;
}

const ROLES: ReadonlySet<string> = new Set<PeerRole>(['operator', 'node', 'controller', 'monitor', 'server']);
const URI = /^spiffe:\/\/gantry\/([a-z]+)\/([A-Za-z0-9._-]{1,253})$/;

export function peerUri({ role, name }: PeerName): string {
  return `spiffe://gantry/${role}/${name}`;
}

/**
 * Host names in every certificate of a role that serves. Prometheus knows a server by name alone, and one name a job: `server_name: node.gantry`
 * accepts any node of the cluster, wherever it is. Source: Prometheus, "Configuration", tls_config. NATS knows controllers by theirs.
 */
export function roleHostNames(role: PeerRole): readonly string[] {
  return role === 'node' || role === 'controller' ? [`${role}.gantry`] : [];
}

/** The peer that `uri` names, or undefined when it is not one of ours. */
export function parsePeerUri(uri: string): PeerName | undefined {
  const [, role, name] = URI.exec(uri) ?? [];
  return role !== undefined && name !== undefined && ROLES.has(role) ? { role: role as PeerRole, name } : undefined;
}

/**
 * The peer in a certificate's alternative names as Node prints them; undefined unless exactly one URI is there and it is ours.
 *
 * Source: Node.js crypto, `x509.subjectAltName`: entries joined by `, `; those with commas in them are quoted as JSON, and we issue none such.
 */
export function parseSubjectAltName(text: string): PeerName | undefined {
  if (text.includes('"')) {
    return undefined;
  }
  const uris = text.split(', ').filter(entry => entry.startsWith('URI:')).map(entry => entry.slice('URI:'.length));
  const [uri, ...others] = uris;
  return uri === undefined || others.length > 0 ? undefined : parsePeerUri(uri);
}
