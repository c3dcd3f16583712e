/** Represents the changing part of an nft table as values, so that two versions can be compared. */
export interface NftTable {
  readonly family: 'ip';
  readonly name: string;
  /**
   * Declarations and base chains, which never change: the body of `table ... { }`, line by line.
   */
  readonly frame: readonly string[];
  /** Maps the name of a set to its `type` clause. */
  readonly sets: ReadonlyMap<string, string>;
  /** Maps the name of a chain to its rules. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /**
   * Maps the name of a set or map to its elements: key to verdict, empty in sets. `frame` declares
   * the maps.
   */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/**
 * Renders a transaction that replaces the table, whatever it contains; the table exists at every
 * moment. Source: nft(8), "-f" is atomic
 */
export function renderTable(table: NftTable): string {
  const id = `${table.family} ${table.name}`;
  const empty: NftTable = { ...table, sets: new Map(), chains: new Map(), elements: new Map() };
  return [`table ${id}`, `delete table ${id}`, `table ${id} {`, ...table.frame.map(line => line === '' ? '' : `  ${line}`), '}', renderChange(empty, table)].join('\n');
}

/**
 * Renders a transaction that turns `from` into `to` and touches nothing else; empty if they are
 * equal. The frames must be the same.
 * What others refer to is added first and deleted last. Source: nft(8); the kernel refuses to
 * delete a chain or set in use
 */
export function renderChange(from: NftTable, to: NftTable): string {
  const id = `${to.family} ${to.name}`;
  const goneChains = missing(from.chains, to.chains);
  const newChains = missing(to.chains, from.chains);
  const changedChains = [...to.chains.keys()].filter(name => from.chains.has(name) && !isSameList(from.chains.get(name), to.chains.get(name))).sort();
  const lines = [
    ...missing(to.sets, from.sets).map(name => `add set ${id} ${name} { type ${String(to.sets.get(name))}; }`),
    ...newChains.map(name => `add chain ${id} ${name}`),
    ...elementLines(from, to),
    ...[...goneChains, ...changedChains].map(name => `flush chain ${id} ${name}`),
    ...[...newChains, ...changedChains].flatMap(name => (to.chains.get(name) ?? []).map(rule => `add rule ${id} ${name} ${rule}`)),
    ...goneChains.map(name => `delete chain ${id} ${name}`),
    ...missing(from.sets, to.sets).map(name => `delete set ${id} ${name}`),
  ];
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/**
 * Returns true if `renderChange` changes elements only, so that the output of nft without elements
 * stays the same.
 */
export function isSameFrame(from: NftTable, to: NftTable): boolean {
  const isEqual = (one: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>, isSame: (name: string) => boolean): boolean =>
    one.size === other.size && [...one.keys()].every(name => other.has(name) && isSame(name));
  return isEqual(from.sets, to.sets, () => true) && isEqual(from.chains, to.chains, name => isSameList(from.chains.get(name), to.chains.get(name)));
}

/** Lists removed elements, then added ones, one line per set or map. */
function elementLines(from: NftTable, to: NftTable): string[] {
  const id = `${to.family} ${to.name}`;
  const names = [...new Set([...from.elements.keys(), ...to.elements.keys()])].sort();
  const gone: string[] = [];
  const added: string[] = [];
  for (const name of names) {
    const before = from.elements.get(name) ?? new Map<string, string>();
    const after = to.elements.get(name) ?? new Map<string, string>();
    if (before === after) {
      continue;
    }
    // A deleted set deletes its elements.
    const isKept = !from.sets.has(name) || to.sets.has(name);
    const goneKeys = isKept ? [...before.keys()].filter(key => before.get(key) !== after.get(key)).sort() : [];
    const addedKeys = [...after.keys()].filter(key => before.get(key) !== after.get(key)).sort();
    if (goneKeys.length > 0) {
      gone.push(`delete element ${id} ${name} { ${goneKeys.join(', ')} }`);
    }
    if (addedKeys.length > 0) {
      added.push(`add element ${id} ${name} { ${addedKeys.map(key => element(key, after.get(key))).join(', ')} }`);
    }
  }
  return [...gone, ...added];
}

function element(key: string, verdict: string | undefined): string {
  return verdict === undefined || verdict === '' ? key : `${key} : ${verdict}`;
}

/** Returns the keys of `of` that are not in `from`, sorted. */
function missing(of: ReadonlyMap<string, unknown>, from: ReadonlyMap<string, unknown>): string[] {
  return [...of.keys()].filter(key => !from.has(key)).sort();
}

function isSameList(left: readonly string[] | undefined, right: readonly string[] | undefined): boolean {
  return left === right || left?.join('\n') === right?.join('\n');
}
