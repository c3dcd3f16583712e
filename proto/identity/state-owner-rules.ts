/** Whose a node's state directory is: `owner.json` in it, so that containers and volumes of one cluster or node are never taken for another's. */
import { join } from 'node:path';

export interface StateOwner {
  readonly node: string;
  /** SHA-256 of the cluster's CA certificate, in hex. */
  readonly caSha256: string;
}

export function stateOwnerFile(stateDir: string): string {
  return join(stateDir, 'owner.json');
}

export function formatStateOwner({ node, caSha256 }: StateOwner): string {
  return JSON.stringify({ node, caSha256 });
}

/** Undefined for what says nothing. */
export function parseStateOwner(text: string): StateOwner | undefined {
  try {
    const { node, caSha256 } = JSON.parse(text) as Partial<Record<string, unknown>>;
    return typeof node === 'string' && typeof caSha256 === 'string' ? { node, caSha256 } : undefined;
  } catch {
    // Half a file: as good as none.
    return undefined;
  }
}

/** Why `owner` may not have what `held` left in the directory, with the ways out; undefined when it is its own. */
export function findOwnerProblem(stateDir: string, held: StateOwner, owner: StateOwner): string | undefined {
  const isOtherCluster = held.caSha256 !== owner.caSha256;
  if (!isOtherCluster && held.node === owner.node) {
    return undefined;
  }
  return `state directory ${stateDir} is that of node ${held.node}${isOtherCluster ? ` of another cluster (CA ${held.caSha256.slice(0, 12)}, not ${owner.caSha256.slice(0, 12)})` : `, not of ${owner.node}`}, with its containers, images and volumes; `
    + `to delete all of it: gantry-agent leave --node ${held.node} --state-dir ${stateDir}, and join again; to keep it, move it away or give another --state-dir`
    + (isOtherCluster && held.node === owner.node ? `; if it is the same cluster with a new CA, delete ${stateOwnerFile(stateDir)} alone: the node has its volumes again` : '');
}
