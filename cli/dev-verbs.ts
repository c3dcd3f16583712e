/** Verbs about the local cluster of this machine. */
import type { Command } from 'commander';
import type { DevFlags } from './commands/dev-flow.ts';
import { one } from './verb-table.ts';
import type { VerbTable } from './verb-table.ts';

export function addDevVerbs(verbs: VerbTable): void {
  const inCluster = (command: Command): Command => command.option('--name <cluster>', 'the local cluster (default: that of the context, else dev)');
  const flow = async () => await import('./commands/dev-flow.ts');
  const settings = (command: Command): Command => command
    .option('--times <preset>', 'default, or test for short times').option('--capacity <amounts>', 'what each node offers, as cpu=4,memory=7Gi')
    .option('--agent-options <text>', 'more options for each agent, such as "--allow-privileged --bind-prefixes /srv"')
    .option('--prometheus <url>', 'where the controllers ask for metrics that services scale by').option('--log-level <level>', 'of controllers and agents');
  verbs.add<DevFlags>({
    usage: 'up [name]', about: 'make a cluster of network namespaces on this machine, with the example App',
    examples: ['clusterctl dev up', 'clusterctl dev up small --nodes 1 --controllers 1 --no-example'],
    options: command => settings(command).option('--nodes <count>', 'default: 3').option('--controllers <count>', 'default: 2').option('--no-example', 'without the example App'),
    run: async (shell, args, flags) => { await (await flow()).devUpCommand(shell, args[0]?.toString(), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'down [name]', about: 'remove it; nothing of it is left', examples: ['clusterctl dev down', 'clusterctl dev down --all'],
    options: command => command.option('--all', 'every local cluster of this machine'),
    run: async (shell, args, flags) => { await (await flow()).devDownCommand(shell, args[0]?.toString(), flags); },
  });
  verbs.add({
    usage: 'status [name]', about: 'its processes and addresses, read from its file', examples: ['clusterctl dev status', 'clusterctl dev status -o json'],
    run: async (shell, args) => { await (await flow()).devStatusCommand(shell, args[0]?.toString()); },
  });
  verbs.add<DevFlags>({
    usage: 'supervise <name>', about: 'keep its processes running (what `dev up` leaves behind)', examples: ['clusterctl dev supervise dev'], options: command => settings(command).option('--state-dir <dir>', 'names the process'),
    run: async (shell, args, flags) => { await (await flow()).devSuperviseCommand(shell, one(args[0]), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'kill <process>', about: 'kill a process with -9 and keep it down', examples: ['clusterctl dev kill n1', 'clusterctl dev kill etcd'], options: inCluster,
    run: async (shell, args, flags) => { await (await flow()).devKillCommand(shell, one(args[0]), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'start <process>', about: 'start a process that was killed', examples: ['clusterctl dev start n1'], options: inCluster,
    run: async (shell, args, flags) => { await (await flow()).devStartCommand(shell, one(args[0]), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'freeze <process>', about: 'stop a process where it stands; its containers go on', examples: ['clusterctl dev freeze n1'], options: inCluster,
    run: async (shell, args, flags) => { await (await flow()).devFreezeCommand(shell, one(args[0]), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'cut <node>', about: 'cut a node off the network', examples: ['clusterctl dev cut n2', 'clusterctl dev cut n2 --direction in'], options: command => inCluster(command).option('--direction <which>', 'both (default), in or out'),
    run: async (shell, args, flags) => { await (await flow()).devCutCommand(shell, one(args[0]), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'heal [name]', about: 'undo freezes and cuts', examples: ['clusterctl dev heal', 'clusterctl dev heal n2'], options: inCluster,
    run: async (shell, args, flags) => { await (await flow()).devHealCommand(shell, args[0]?.toString(), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'logs <process>', about: 'the log of a controller, an agent, etcd, nats, registry or supervisor', examples: ['clusterctl dev logs n1', 'clusterctl dev logs supervisor'], options: inCluster,
    run: async (shell, args, flags) => { await (await flow()).devLogsCommand(shell, one(args[0]), flags); },
  });
}
