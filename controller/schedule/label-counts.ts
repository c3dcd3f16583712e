import type { Node } from '#model/node.ts';

/** How many tasks stand on nodes with each value of some labels. A node without the label has the value ''. */
export class LabelCounts {
  readonly #counts = new Map<string, Map<string, number>>();

  constructor(labels: readonly string[], nodes: Iterable<Node>) {
    for (const label of labels) {
      this.#counts.set(label, new Map());
    }
    for (const node of nodes) {
      this.add(node);
    }
  }

  add(node: Node): void {
    for (const [label, counts] of this.#counts) {
      const value = node.labels.get(label) ?? '';
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
  }

  /** Tasks on nodes that have the same value of `label` as `node`. */
  count(label: string, node: Node): number {
    return this.#counts.get(label)?.get(node.labels.get(label) ?? '') ?? 0;
  }
}
