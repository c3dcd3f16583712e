/** Configs, secrets and volumes as the documents that `describe` and `inspect` print, and as lists. */
import type { TitledDocument } from '../format/items.ts';
import type { Shell } from '../ports.ts';
import type { UnviewedType } from '../target.ts';
import { configDocuments, configListing, secretDocuments } from './content-flow.ts';
import type { Listing } from './print-flow.ts';
import { secretListing } from './secret-flow.ts';
import { volumeDocuments, volumeListing } from './volume-flow.ts';

interface Source {
  readonly list: (shell: Shell, names: readonly string[]) => Promise<Listing>;
  readonly read: (shell: Shell, name: string) => Promise<readonly TitledDocument[]>;
}

const SOURCES: Readonly<Record<UnviewedType, Source>> = {
  config: { list: configListing, read: configDocuments },
  secret: { list: secretListing, read: secretDocuments },
  volume: { list: async (shell, names) => await volumeListing(shell, names, {}), read: volumeDocuments },
};

/** @param names  none: all */
export async function listUnviewed(shell: Shell, type: UnviewedType, names: readonly string[]): Promise<Listing> {
  return await SOURCES[type].list(shell, names);
}

/**
 * All objects of that name: a config may have several contents during a rollout, a volume may have
 * data on several nodes.
 * @throws ClusterError NOT_FOUND
 */
export async function readDocuments(
  shell: Shell, type: UnviewedType, name: string,
): Promise<readonly TitledDocument[]> {
  return await SOURCES[type].read(shell, name);
}
