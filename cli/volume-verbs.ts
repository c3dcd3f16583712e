/** Verbs about the data of named volumes. */
import type { VolumeFlags } from './commands/volume-flow.ts';
import { many } from './verb-table.ts';
import type { VerbTable } from './verb-table.ts';

export function addVolumeVerbs(verbs: VerbTable): void {
  const flow = async () => await import('./commands/volume-flow.ts');
  const volume = verbs.group('volume', 'the data of named volumes: it outlives tasks, services and Apps');
  volume.add<VolumeFlags>({
    usage: 'ls [names...]', about: 'list them: whose they are, on which node, and who uses them', examples: ['clusterctl volume ls', 'clusterctl volume ls -a', 'clusterctl volume ls -s', 'clusterctl volume ls --node n2 -o json'],
    options: command => command.option('-a, --all', 'of all namespaces, as -A').option('--node <name>', 'only what is on this node').option('-s, --size', 'what those that tasks use take on disk, asked of their nodes'),
    run: async (shell, args, flags) => { await (await flow()).listVolumes(shell, many(args[0]), flags); },
  });
  volume.add({
    usage: 'inspect <names...>', about: 'all that is known of volumes, as JSON', examples: ['clusterctl volume inspect data-0'],
    run: async (shell, args) => { await (await flow()).inspectVolumes(shell, many(args[0])); },
  });
  volume.add<VolumeFlags>({
    usage: 'rm <names...>', about: 'delete the data of volumes; refused while a task uses one', examples: ['clusterctl volume rm data-0 data-1', 'clusterctl volume rm data --force', 'clusterctl volume rm data --node n2'],
    options: command => command.option('--force', 'also where a service that is there would start with an empty one').option('--node <name>', 'only the data on this node').option('--detach', 'do not wait'),
    run: async (shell, args, flags) => { await (await flow()).removeVolumes(shell, many(args[0]), flags); },
  });
}
