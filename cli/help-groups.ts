/** Group the verbs under headings in the help of `clusterctl`. */
import type { Command, Option } from 'commander';

const HEADS: Readonly<Record<string, string>> = {
  'Deploy and change:': 'apply diff plan delete scale update restart rollout rollback trigger',
  'Inspect:': 'get ps describe inspect why events logs stats top wait explain',
  'Containers:': 'run exec attach cp debug port-forward stop kill pause unpause',
  'Images:': 'image images pull rmi tag tags login logout',
  'Namespaces and data:': 'namespace secret volume',
  'Nodes and cluster:': 'node label migrate rebalance token init join context version dev completion help',
};

/** Sets the heading of every verb; a verb without one keeps the default heading. */
export function groupVerbs(program: Command): void {
  for (const [head, names] of Object.entries(HEADS)) {
    for (const name of names.split(' ')) {
      program.commands.find(command => command.name() === name)?.helpGroup(head);
    }
  }
}

/** Returns the first part of a description, for lists of verbs; the help of the verb has the rest. */
export function shortAbout(command: Command): string {
  return command.description().split(/[;:] /)[0] ?? '';
}

/** Replaces the function of commander, which orders headings by their first verbs. */
export function groupByHead<T extends Command | Option>(_: T[], shown: T[], headOf: (item: T) => string): Map<string, T[]> {
  const heads = Object.keys(HEADS);
  return new Map([...Map.groupBy(shown, headOf)].toSorted(([left], [right]) => heads.indexOf(left) - heads.indexOf(right)));
}
