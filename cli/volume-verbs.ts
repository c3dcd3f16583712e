/** Define the verbs of named volumes. */
import type { VolumeFlags } from './commands/volume-flow.ts';
import { many } from './verb-table.ts';
import type { VerbTable } from './verb-table.ts';

export function addVolumeVerbs(verbs: VerbTable): void {
  const flow = async () => await import('./commands/volume-flow.ts');
  const volume = verbs.group('volume', 'Manage named volumes: their data outlives tasks, services and Apps');
  volume.add<VolumeFlags>({
    usage: 'ls [names...]', about: 'List volumes with owner, node and users', examples: ['clusterctl volume ls', 'clusterctl volume ls -a', 'clusterctl volume ls -s', 'clusterctl volume ls --node n2 -o json'],
    options: command => command.option('-a, --all', 'List volumes of all namespaces, as -A').option('--node <name>', 'List only volumes on this node').option('-s, --size', 'Ask the nodes for the disk usage of the volumes in use'),
    run: async (shell, args, flags) => { await (await flow()).listVolumes(shell, many(args[0]), flags); },
  });
  volume.add({
    usage: 'inspect <names...>', about: 'Print all details of volumes as JSON', examples: ['clusterctl volume inspect data-0'],
    run: async (shell, args) => { await (await flow()).inspectVolumes(shell, many(args[0])); },
  });
  volume.add<VolumeFlags>({
    usage: 'rm <names...>', about: 'Delete the data of volumes; refused while a task uses one', examples: ['clusterctl volume rm data-0 data-1', 'clusterctl volume rm data --force', 'clusterctl volume rm data --node n2'],
    options: command => command.option('--force', 'Delete the data even if an existing service would start with an empty volume').option('--node <name>', 'Delete only the data on this node').option('--detach', 'Do not wait'),
    run: async (shell, args, flags) => { await (await flow()).removeVolumes(shell, many(args[0]), flags); },
  });
}
