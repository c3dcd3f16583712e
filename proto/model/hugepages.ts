/** Sizes of huge pages that tasks use and nodes limit. */
import { containersOf } from './companion.ts';
import type { ContainerSet } from './companion.ts';
import type { PageSizes } from './node.ts';

/** Bytes of each size that a container of the set may use, smallest first, each once. */
export function pageSizesOf(set: ContainerSet): readonly number[] {
  const sizes = containersOf(set).flatMap(({ limits: { hugepages = [] } }) => hugepages.map(limit => limit.pageBytes));
  return [...new Set(sizes)].sort((left, right) => left - right);
}

/** The first size that a node cannot limit. @param known  what its agent reports; absent: an agent that does not */
export function missingPageSize(set: ContainerSet, known: PageSizes | undefined): number | undefined {
  return known === undefined ? undefined : pageSizesOf(set).find(size => !known.bytes.includes(size));
}
