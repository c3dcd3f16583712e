import { Resolver } from 'node:dns/promises';
import { ZONE } from './host-names.ts';

const TIMEOUT_MS = 500;

/** Returns true if a server at `address` answers a query for the zone with any result. */
export async function isAnswering(address: string): Promise<boolean> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  resolver.setServers([address]);
  try {
    await resolver.resolve4(`answering.${ZONE}`);
    return true;
  } catch (error) {
    const { code } = error as { readonly code?: string };
    return code === 'ENOTFOUND' || code === 'ENODATA';
  }
}
