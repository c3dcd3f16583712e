/** The verb `run`. */
import type { Command } from 'commander';
import type { RunFlags } from './commands/run-wish-flow.ts';
import { collect, many, one } from './verb-table.ts';
import type { VerbTable } from './verb-table.ts';

export function addRunVerb(verbs: VerbTable): void {
  verbs.add<RunFlags>({
    usage: 'run <image> [command...]', about: 'Run a container on the cluster, with the flags of docker run',
    examples: [
      'clusterctl run -it --rm alpine sh', 'clusterctl run --detach --name seed -e A=1 acme/seed:1',
      'clusterctl run --rm -m 512Mi --env-file job.env --label team=data acme/job:1',
      'clusterctl run --rm --network host --cap-add NET_ADMIN acme/tools:1 ip addr',
    ],
    options: command => rights(environment(command.passThroughOptions()
      .option('-i, --interactive', 'Connect stdin')
      .option('-t, --tty', 'Allocate a terminal')
      .option('--rm', 'Delete the container when it exits')
      .option('-d, --detach', 'Print the name and return')
      .option('--init', 'Run a small init process as pid 1')
      .option('--name <name>', 'Name of the App')))
      .option('-p, --publish <published:target>', 'Port to publish; may be repeated', collect)
      .option('-v, --volume <name:/path>', 'Volume to mount; may be repeated', collect)
      .option('--node <name>', 'Node to run on')
      .option('--cpus <cpus>', 'CPU limit')
      .option('-m, --memory <amount>', 'Memory limit')
      .option('-u, --user <user>', 'User name or uid[:gid]')
      .option('-w, --workdir <path>', 'Working directory')
      .option('--entrypoint <text>', 'Program instead of ENTRYPOINT of the image')
      .option('--hostname <name>', 'Host name of the container'),
    run: async (shell, args, flags) => {
      await (await import('./commands/run-flow.ts')).runContainer(shell, one(args[0]), many(args[1]), flags);
    },
  });
}

function environment(command: Command): Command {
  return command
    .option('-e, --env <name=value>', 'Environment variable; may be repeated', collect)
    .option('--env-file <path>', 'Read variables from a file of NAME=value lines; -e wins; may be repeated', collect)
    .option('--label <name=value>', 'Label of its service; may be repeated', collect);
}

/** The policies of the namespace and of the nodes decide whether a container gets these. */
function rights(command: Command): Command {
  const privileged = 'needs the profile privileged';
  return command
    .option('--network <name>', `Network: bridge (default), or host, the network of the node, which ${privileged}`)
    .option('--privileged', `All capabilities, no seccomp filter and the user ids of the node; ${privileged}`)
    .option('--cap-add <name>', `Add a capability; one beyond the profile baseline ${privileged}; may be repeated`, collect)
    .option('--cap-drop <name>', 'Drop a capability, or ALL; may be repeated', collect)
    .option(
      '--device <path>',
      'Device that the node allows, such as /dev/fuse:/dev/fuse:rw, or units of one: nvidia.com/gpu=1; may be repeated', collect,
    );
}
