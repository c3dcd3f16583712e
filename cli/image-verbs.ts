/** Define the verbs of images and registries. */
import type { Command } from 'commander';
import type { ImageFlags, ListImagesFlags } from './commands/image-flow.ts';
import type { LoginFlags } from './commands/login-flow.ts';
import { collect, formatted, many, one } from './verb-table.ts';
import type { VerbTable } from './verb-table.ts';

export function addImageVerbs(verbs: VerbTable): void {
  const flow = async () => await import('./commands/image-flow.ts');
  const onNodes = (command: Command): Command => command.option('--node <name>', 'Only on this node; may be repeated', collect);
  const image = verbs.group('image', 'Manage images on the nodes');
  for (const [group, pull, list, remove, words] of [[verbs, 'pull', 'images', 'rmi', 'clusterctl'], [image, 'pull', 'ls', 'rm', 'clusterctl image']] as const) {
    group.add<ImageFlags>({ usage: `${pull} <image>`, about: 'Pull an image on every node, or on some', options: onNodes, examples: [`${words} ${pull} nginx:1.27`, `${words} ${pull} -n prod registry.acme.test/web:1.4.2 --node n1 --node n2`],
      run: async (shell, args, flags) => { await (await flow()).pullImage(shell, one(args[0]), flags); } });
    group.add<ListImagesFlags>({ usage: `${list} [name]`, about: 'List the images on the nodes', options: command => formatted(onNodes(command)),
      examples: [`${words} ${list}`, `${words} ${list} web -o wide`, `${words} ${list} --node n1 -o json`, `${words} ${list} --format '{{.Repository}}:{{.Tag}}\\t{{.Size}}'`],
      run: async (shell, args, flags) => { await (await flow()).listImages(shell, args[0]?.toString(), flags); } });
    group.add<ImageFlags>({ usage: `${remove} <images...>`, about: 'Remove images from the nodes; refused if a task needs one', options: onNodes, examples: [`${words} ${remove} web:1.4.1`, `${words} ${remove} 3f9a12bc04de --node n2`],
      run: async (shell, args, flags) => { await (await flow()).removeImages(shell, many(args[0]), flags); } });
  }
  image.add<ImageFlags>({ usage: 'inspect <images...>', about: 'Print all details of images as JSON', options: onNodes, examples: ['clusterctl image inspect web:1.4.2'],
    run: async (shell, args, flags) => { await (await flow()).inspectImages(shell, many(args[0]), flags); } });
  verbs.add({ usage: 'tags <repository>', about: 'List the tags of a repository in its registry', examples: ['clusterctl tags nginx', 'clusterctl tags registry.acme.test/web -o json'],
    run: async (shell, args) => { await (await flow()).listTags(shell, one(args[0])); } });
  verbs.add({ usage: 'tag <source> <target>', about: 'Add a tag to an image in its repository', examples: ['clusterctl tag registry.acme.test/web:1.4.2 registry.acme.test/web:stable'],
    run: async (shell, args) => { await (await flow()).tagImage(shell, one(args[0]), one(args[1])); } });
  verbs.add<LoginFlags>({ usage: 'login [registry]', about: 'Store a registry login for a namespace; without -u, the login that docker has on this machine', examples: ['clusterctl login ghcr.io', 'clusterctl login -n prod registry.acme.test -u robot --password-stdin < token', 'clusterctl login --list -A'],
    options: command => command.option('-u, --username <name>', 'User name at the registry').option('--password-stdin', 'Read the password from stdin').option('--list', 'List the stored logins'),
    run: async (shell, args, flags) => { await (await import('./commands/login-flow.ts')).login(shell, one(args[0]), flags); } });
  verbs.add({ usage: 'logout [registry]', about: 'Delete the registry login of a namespace', examples: ['clusterctl logout -n prod registry.acme.test'],
    run: async (shell, args) => { await (await import('./commands/login-flow.ts')).logout(shell, one(args[0])); } });
}
