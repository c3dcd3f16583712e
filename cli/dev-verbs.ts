/** Define the verbs of local clusters. */
import type { Command } from 'commander';
import type { DevFlags } from './commands/dev-flow.ts';
import { one } from './verb-table.ts';
import type { VerbTable } from './verb-table.ts';

export function addDevVerbs(verbs: VerbTable): void {
  const inCluster = (command: Command): Command => command.option('--name <cluster>', 'Name of the local cluster (default: the cluster of the context, else dev)');
  const flow = async () => await import('./commands/dev-flow.ts');
  const settings = (command: Command): Command => command
    .option('--times <preset>', 'Preset of time-outs: default, or test for short ones').option('--capacity <amounts>', 'Capacity of each node, such as cpu=4,memory=7Gi')
    .option('--agent-options <text>', 'Additional options of each agent, such as "--allow-privileged --bind-prefixes /srv"')
    .option('--prometheus <url>', 'URL of the Prometheus server with the metrics for autoscaling').option('--log-level <level>', 'Log level of controllers and agents');
  verbs.add<DevFlags>({
    usage: 'up [name]', about: 'Create a cluster of network namespaces on this machine and deploy the example App',
    examples: ['clusterctl dev up', 'clusterctl dev up small --nodes 1 --controllers 1 --no-example'],
    options: command => settings(command).option('--nodes <count>', 'Number of nodes (default: 3)').option('--controllers <count>', 'Number of controllers (default: 2)').option('--no-example', 'Do not deploy the example App'),
    run: async (shell, args, flags) => { await (await flow()).devUpCommand(shell, args[0]?.toString(), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'down [name]', about: 'Remove a local cluster with all its processes, namespaces and files', examples: ['clusterctl dev down', 'clusterctl dev down --all'],
    options: command => command.option('--all', 'Remove every local cluster of this machine'),
    run: async (shell, args, flags) => { await (await flow()).devDownCommand(shell, args[0]?.toString(), flags); },
  });
  verbs.add({
    usage: 'status [name]', about: 'List the processes and addresses of a local cluster', examples: ['clusterctl dev status', 'clusterctl dev status -o json'],
    run: async (shell, args) => { await (await flow()).devStatusCommand(shell, args[0]?.toString()); },
  });
  verbs.add<DevFlags>({
    usage: 'supervise <name>', about: 'Supervise the processes of a local cluster (started by `dev up`)', examples: ['clusterctl dev supervise dev'], options: command => settings(command).option('--state-dir <dir>', 'State directory (names the process in ps)'),
    run: async (shell, args, flags) => { await (await flow()).devSuperviseCommand(shell, one(args[0]), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'kill <process>', about: 'Kill a process with SIGKILL and keep it down', examples: ['clusterctl dev kill n1', 'clusterctl dev kill etcd'], options: inCluster,
    run: async (shell, args, flags) => { await (await flow()).devKillCommand(shell, one(args[0]), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'start <process>', about: 'Start a killed process again', examples: ['clusterctl dev start n1'], options: inCluster,
    run: async (shell, args, flags) => { await (await flow()).devStartCommand(shell, one(args[0]), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'freeze <process>', about: 'Freeze a process with SIGSTOP; its containers keep running', examples: ['clusterctl dev freeze n1'], options: inCluster,
    run: async (shell, args, flags) => { await (await flow()).devFreezeCommand(shell, one(args[0]), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'cut <node>', about: 'Cut a node off the network', examples: ['clusterctl dev cut n2', 'clusterctl dev cut n2 --direction in'], options: command => inCluster(command).option('--direction <which>', 'Direction of the traffic to drop: both (default), in or out'),
    run: async (shell, args, flags) => { await (await flow()).devCutCommand(shell, one(args[0]), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'heal [name]', about: 'Undo freezes and cuts', examples: ['clusterctl dev heal', 'clusterctl dev heal n2'], options: inCluster,
    run: async (shell, args, flags) => { await (await flow()).devHealCommand(shell, args[0]?.toString(), flags); },
  });
  verbs.add<DevFlags>({
    usage: 'logs <process>', about: 'Print the log of a controller, an agent, etcd, nats, registry or supervisor', examples: ['clusterctl dev logs n1', 'clusterctl dev logs supervisor'], options: inCluster,
    run: async (shell, args, flags) => { await (await flow()).devLogsCommand(shell, one(args[0]), flags); },
  });
}
