/** Under which head each verb stands in what `clusterctl` shows. */
import type { Command, Option } from 'commander';

const HEADS: Readonly<Record<string, string>> = {
  'Deploy and change:': 'apply diff plan delete scale update restart rollout rollback trigger',
  'See:': 'get ps describe inspect why events logs stats top wait explain',
  'Containers:': 'run exec attach cp debug port-forward stop kill pause unpause',
  'Images:': 'image images pull rmi tag tags login logout',
  'What Apps use:': 'namespace secret volume',
  'Nodes and cluster:': 'node label migrate rebalance token init join context version dev completion help',
};

/** Puts every verb of the program under its head; one that has none keeps the usual one. */
export function groupVerbs(program: Command): void {
  for (const [head, names] of Object.entries(HEADS)) {
    for (const name of names.split(' ')) {
      program.commands.find(command => command.name() === name)?.helpGroup(head);
    }
  }
}

/** What a list of verbs says of one; its own help says the rest. */
export function shortAbout(command: Command): string {
  return command.description().split(/[;:] /)[0] ?? '';
}

/** In the place of commander's, which orders heads as their first verbs were made. */
export function groupByHead<T extends Command | Option>(_: T[], shown: T[], headOf: (item: T) => string): Map<string, T[]> {
  const heads = Object.keys(HEADS);
  return new Map([...Map.groupBy(shown, headOf)].toSorted(([left], [right]) => heads.indexOf(left) - heads.indexOf(right)));
}
