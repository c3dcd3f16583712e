/** The command table: names, arguments, help; each verb's flow is imported when it runs. */
import { Command } from 'commander';
import type { ApplyFlags } from './commands/apply-flow.ts';
import type { DebugFlags } from './commands/debug-flow.ts';
import type { DeleteFlags } from './commands/delete-flow.ts';
import type { DrainFlags } from './commands/drain-flow.ts';
import type { EventFlags } from './commands/events-flow.ts';
import type { ExecFlags } from './commands/exec-flow.ts';
import type { ExplainFlags } from './commands/explain-flow.ts';
import type { GetFlags, ListNodesFlags } from './commands/get-flow.ts';
import type { LogFlags } from './commands/logs-flow.ts';
import type { InitFlags, JoinFlags } from './commands/machine-flow.ts';
import type { PlanFlags } from './commands/plan-flow.ts';
import type { PortForwardFlags } from './commands/port-forward-flow.ts';
import type { PsFlags } from './commands/ps-flow.ts';
import type { ReplaceFlags } from './commands/replace-flow.ts';
import type { ScaleFlags } from './commands/scale-flow.ts';
import type { TriggerFlags } from './commands/trigger-flow.ts';
import type { NamespaceFlags } from './commands/namespace-flow.ts';
import type { SecretFlags } from './commands/secret-flow.ts';
import type { TopFlags } from './commands/top-flow.ts';
import { addDevVerbs } from './dev-verbs.ts';
import { groupByHead, groupVerbs, shortAbout } from './help-groups.ts';
import { addImageVerbs } from './image-verbs.ts';
import { addResourceVerbs, addRolloutVerbs } from './resource-verbs.ts';
import { addRunVerb } from './run-verbs.ts';
import { addVolumeVerbs } from './volume-verbs.ts';
import { collect, formatted, globals, many, one, VerbTable } from './verb-table.ts';
import type { WithShell } from './verb-table.ts';
import { VERSION, VERSION_LINE } from './version.ts';

/** Words with which a call may ask for any command: help, and completion. */
const ASK_FOR_ALL: readonly string[] = ['help', '--help', '-h', 'completion'];

/** The whole table. @param words  of the call, for which not every flag is needed; absent: the table is complete */
export function buildProgram(withShell: WithShell, words?: readonly string[]): Command {
  const isWhole = words === undefined || words.length === 0 || words.some(word => ASK_FOR_ALL.includes(word));
  const program = globals(new Command('clusterctl'))
    .description('Gantry: run containers on a cluster of machines. Also installed as `gantry`.')
    .enablePositionalOptions()
    .showSuggestionAfterError(true)
    .version(VERSION_LINE, '-V, --version', 'whose clusterctl this is, and which')
    .addHelpText('after', '\nStart here:\n  clusterctl apply -f shop.yaml --wait\n  clusterctl ps\n  clusterctl why shop/web\n  clusterctl help rollout undo\n')
    .configureHelp({ sortSubcommands: true, subcommandTerm: command => command.name(), subcommandDescription: shortAbout, groupItems: groupByHead });
  const verbs = new VerbTable(program, withShell, isWhole ? undefined : new Set(words));
  addObjectVerbs(verbs);
  addChangeVerbs(verbs);
  addCronVerbs(verbs);
  addTaskVerbs(verbs);
  addResourceVerbs(verbs);
  addRolloutVerbs(verbs);
  addImageVerbs(verbs);
  addVolumeVerbs(verbs);
  addNodeVerbs(verbs);
  addClusterVerbs(verbs);
  addMachineVerbs(verbs);
  addCompletion(verbs, program);
  addDevVerbs(verbs.group('dev', 'Manage local clusters on this machine'));
  groupVerbs(program);
  return program;
}

function addObjectVerbs(verbs: VerbTable): void {
  verbs.add<GetFlags>({
    usage: 'get <type> [names...]', about: 'List objects: apps, svc, jobs, crons, tasks, nodes, configs, secrets, volumes, events; several types separated by commas, one object as TYPE/NAME',
    examples: ['clusterctl get svc', 'clusterctl get svc,tasks', 'clusterctl get svc/shop/web node/n1', 'clusterctl get svc shop/web -o json', 'clusterctl get tasks -A -w'],
    options: command => command.option('-w, --watch', 'Print again after each change'),
    run: async (shell, args, flags) => { await (await import('./commands/get-flow.ts')).getObjects(shell, one(args[0]), many(args[1]), flags); },
  });
  verbs.add<PsFlags>({
    usage: 'ps [targets...]', about: 'List tasks of the cluster, of services, Apps or nodes, in the format of docker ps',
    examples: ['clusterctl ps', 'clusterctl ps shop/web', 'clusterctl ps -a --filter service=web', 'clusterctl ps --node n2 -q', 'clusterctl ps -s', "clusterctl ps --format '{{.ID}}\\t{{.Names}}'", "clusterctl ps --format 'table {{.Names}}\\t{{.Node}}\\t{{.Status}}'"],
    options: command => formatted(command).option('-a, --all', 'Include ended tasks').option('-s, --size', 'Show the data written into each root file system').option('--node <name>', 'Only on this node')
      .option('--filter <field=value>', 'Only tasks with this value of a field of -o json', collect).option('-w, --watch', 'Print again after each change'),
    run: async (shell, args, flags) => { await (await import('./commands/ps-flow.ts')).listTasks(shell, many(args[0]), flags); },
  });
  verbs.add<TopFlags>({
    usage: 'top [type]', about: 'Show the current resource usage of tasks or nodes',
    examples: ['clusterctl top', 'clusterctl top tasks --node n2 -w', 'clusterctl top nodes -o json'],
    options: command => command.option('--node <name>', 'Only this node').option('-w, --watch', 'Print again every 2 s'),
    run: async (shell, args, flags) => { await (await import('./commands/top-flow.ts')).showUsage(shell, one(args[0]), flags); },
  });
  verbs.add({
    usage: 'describe <targets...>', about: 'Show details of an object with its tasks and events; for configs and secrets the users, never the content',
    examples: ['clusterctl describe shop/web', 'clusterctl describe node/n2', 'clusterctl describe node n2', 'clusterctl describe secret/db-password', 'clusterctl describe config/shop/web-toml', 'clusterctl describe volume/data-0'],
    run: async (shell, args) => { await (await import('./commands/describe-flow.ts')).describeTargets(shell, many(args[0])); },
  });
  verbs.add<EventFlags>({
    usage: 'events [target]', about: 'List events of the cluster, of a namespace (-n), or of an object with its services and tasks',
    examples: ['clusterctl events', 'clusterctl events shop/web --since 10m', 'clusterctl events -n prod', 'clusterctl events --type warning', 'clusterctl events -w -o json'],
    options: command => command.option('-w, --watch', 'Continue with new events').option('-f, --follow', 'Same as --watch').option('--since <duration>', 'Only events of the last DURATION')
      .option('--type <type>', 'Only events of this type: normal or warning'),
    run: async (shell, args, flags) => {
      await (await import('./commands/events-flow.ts')).listEvents(shell, { ...flags, ...(args[0] === undefined ? {} : { target: one(args[0]) }) });
    },
  });
  verbs.add<ExplainFlags>({
    usage: 'explain [field]', about: 'Describe a field of the manifest: meaning, type, default',
    examples: ['clusterctl explain services.update.max_surge', 'clusterctl explain svc.healthcheck', 'clusterctl explain --recursive', 'clusterctl explain services.resources -o json'],
    options: command => command.option('--recursive', 'Describe all fields below it'),
    run: async (shell, args, flags) => { await (await import('./commands/explain-flow.ts')).explainField(shell, one(args[0]), flags); },
  });
  verbs.add<{ readonly for: string }>({
    usage: 'wait <target>', about: 'Wait for a condition',
    examples: ['clusterctl wait shop/web --for healthy --timeout 2m', 'clusterctl wait job/shop/report --for condition=complete', 'clusterctl wait node/n1 --for condition=ready'],
    options: command => command.requiredOption('--for <condition>', 'Condition: healthy (nodes: ready), complete, running or deleted; also condition=ready, condition=available, condition=complete and delete'),
    run: async (shell, args, flags) => { await (await import('./commands/cluster-flow.ts')).waitFor(shell, one(args[0]), flags.for); },
  });
}

function addChangeVerbs(verbs: VerbTable): void {
  verbs.add<ApplyFlags>({
    usage: 'apply', about: 'Create or change Apps from manifests, each App in one transaction',
    examples: ['clusterctl apply -f shop.yaml', 'clusterctl apply -f shop/ --var TAG=1.4.2 --wait', 'clusterctl apply -f shop.yaml --dry-run'],
    options: command => command
      .requiredOption('-f, --filename <path>', 'Manifest, directory, or - for stdin; may be repeated', collect)
      .option('--dry-run', 'Check everything on the server, but write nothing').option('--prune', 'Delete Apps of these namespaces that no manifest has')
      .option('--plan <id>', 'Apply only if the cluster is unchanged since `plan --save`').option('--wait', 'Wait until all tasks are healthy and get traffic (default on a terminal)').option('--detach', 'Do not wait')
      .option('--var <name=value>', 'Value for ${NAME}; may be repeated', collect).option('--env-file <path>', 'File with values for ${NAME}', collect),
    run: async (shell, _, flags) => {
      await (await import('./commands/apply-flow.ts')).applyManifests(shell, flags);
    },
  });
  addPlanVerb(verbs, 'plan', 'Show what an apply, or a change of nodes, would do, with the node of every task; exit code 0: nothing, 1: changes, 2: error');
  addPlanVerb(verbs, 'diff', 'Show which fields an apply would change; exit codes as plan');
  verbs.add<{ readonly node?: string }>({
    usage: 'why <target>', about: 'Explain why a service or task is pending, placed, restarted or rolled back, with the cheapest fix',
    examples: ['clusterctl why svc/shop/web', 'clusterctl why shop/web --node n2', 'clusterctl why task/k3f9abcd2345 -o json'],
    options: command => command.option('--node <name>', 'Explain why it is, or is not, on this node'),
    run: async (shell, args, flags) => { await (await import('./commands/why-flow.ts')).explainTarget(shell, one(args[0]), flags); },
  });
  verbs.add<DeleteFlags>({
    usage: 'delete [targets...]', about: 'Delete Apps, services, tasks, secrets or nodes, and wait until nothing is left of them',
    examples: ['clusterctl delete app/shop', 'clusterctl delete app/shop --volumes', 'clusterctl delete -f shop.yaml', 'clusterctl delete svc/shop/web --detach'],
    options: command => command.option('-f, --filename <path>', 'Delete the Apps of these manifests', collect).option('--detach', 'Do not wait').option('--volumes', 'Delete the data of the volumes of the Apps as well')
      .option('--wait [true|false]', 'Wait until nothing is left (the default); --wait=false is --detach')
      .option('--var <name=value>', 'Value for ${NAME}; may be repeated', collect).option('--env-file <path>', 'File with values for ${NAME}', collect),
    run: async (shell, args, flags) => { await (await import('./commands/delete-flow.ts')).deleteObjects(shell, many(args[0]), flags); },
  });
  verbs.add<ScaleFlags>({
    usage: 'scale <pairs...>', about: 'Set the number of replicas of services',
    examples: ['clusterctl scale shop/web=5 shop/api=2', 'clusterctl scale shop/web --replicas=5 --wait'],
    options: command => command.option('--replicas <count>', 'Number of replicas for targets without =').option('--wait', 'Wait until all tasks are healthy and get traffic'),
    run: async (shell, args, flags) => { await (await import('./commands/scale-flow.ts')).scaleServices(shell, many(args[0]), flags); },
  });
}

function addCronVerbs(verbs: VerbTable): void {
  verbs.add<TriggerFlags>({
    usage: 'trigger <crons...>', about: 'Start a run of a cron now, in addition to its schedule, regardless of concurrency and suspend',
    examples: ['clusterctl trigger shop/report', 'clusterctl trigger cron/shop/report --wait'],
    options: command => command.option('--wait', 'Wait until the run has ended; exit code 1 if it failed'),
    run: async (shell, args, flags) => { await (await import('./commands/trigger-flow.ts')).triggerCrons(shell, many(args[0]), flags); },
  });
}

function addPlanVerb(verbs: VerbTable, name: 'plan' | 'diff', about: string): void {
  verbs.add<PlanFlags>({
    usage: name, about,
    examples: [`clusterctl ${name} -f shop.yaml`, `clusterctl ${name} -f shop.yaml --save`, `clusterctl ${name} --without-node n2`, `clusterctl ${name} --add-node name=n9,cpu=4,memory=8Gi,disk=100Gi,pids=4096,device=nvidia.com/gpu:2,taint=spot,zone=b`],
    options: command => command
      .option('-f, --filename <path>', 'Manifest, directory, or - for stdin; may be repeated', collect)
      .option('--save', 'Print an id for `apply --plan`, valid for one hour')
      .option('--without-node <name>', 'Assume that this node is drained; may be repeated', collect)
      .option('--add-node <spec>', 'Assume an additional node; may be repeated', collect)
      .option('--var <name=value>', 'Value for ${NAME}; may be repeated', collect).option('--env-file <path>', 'File with values for ${NAME}', collect),
    run: async (shell, _, flags) => { await (await import('./commands/plan-flow.ts')).planManifests(shell, flags, name); },
  });
}

function inContainer(command: Command): Command {
  return command.option('-c, --container <name>', 'Init container or sidecar (default: the main container)');
}

function addTaskVerbs(verbs: VerbTable): void {
  verbs.add<LogFlags>({
    usage: 'logs <targets...>', about: 'Print the output of tasks',
    examples: ['clusterctl logs shop/web', 'clusterctl logs -f --tail 20 shop/web shop/api'],
    options: command => inContainer(command).option('-f, --follow', 'Continue with new lines').option('--tail <lines>', 'Number of last lines of each task')
      .option('--since <duration>', 'Only lines of the last DURATION, or since a time').option('-t, --timestamps', 'Print the time before each line').option('--all', 'Include ended tasks')
      .option('--previous', 'Print the output of the previous run')
      .option('--raw', 'Print control characters as the task wrote them (default on a terminal: escaped, except for tasks with a TTY)'),
    run: async (shell, args, flags) => { await (await import('./commands/logs-flow.ts')).showLogs(shell, many(args[0]), flags); },
  });
  verbs.add<ExecFlags>({
    usage: 'exec <target> [command...]', about: 'Run a command in a task and exit with its code',
    examples: ['clusterctl exec -it shop/web -- sh', 'clusterctl exec task/k3f9abcd2345 -- cat /etc/hostname'],
    options: command => inContainer(command.passThroughOptions()).option('-i, --interactive', 'Connect stdin').option('-t, --tty', 'Allocate a terminal')
      .option('-u, --user <user>', 'User name or uid[:gid]').option('-w, --workdir <path>', 'Working directory').option('-e, --env <name=value>', 'Environment variable; may be repeated', collect),
    run: async (shell, args, flags) => { await (await import('./commands/exec-flow.ts')).execInTask(shell, one(args[0]), many(args[1]), flags); },
  });
  verbs.add<DebugFlags>({
    usage: 'debug <target> [command...]', about: 'Run a container with tools in the namespaces of a task; the files of the task are at /proc/1/root',
    examples: ['clusterctl debug -it shop/web -- sh', 'clusterctl debug shop/web --image acme/tools:1 -- ss -ltn'],
    options: command => inContainer(command).option('-i, --interactive', 'Connect stdin').option('-t, --tty', 'Allocate a terminal')
      .option('--image <image>', 'Image with the tools (default: busybox)').option('-e, --env <name=value>', 'Environment variable; may be repeated', collect),
    run: async (shell, args, flags) => { await (await import('./commands/debug-flow.ts')).debugTask(shell, one(args[0]), many(args[1]), flags); },
  });
  verbs.add<{ readonly stdin?: boolean; readonly container?: string }>({
    usage: 'attach <target>', about: 'Attach to the main process of a task; ctrl-p ctrl-q detaches',
    examples: ['clusterctl attach shop/web', 'clusterctl attach --no-stdin task/k3f9abcd2345'],
    options: command => inContainer(command).option('--no-stdin', 'Do not connect stdin'),
    run: async (shell, args, flags) => { await (await import('./commands/exec-flow.ts')).attachToTask(shell, one(args[0]), flags); },
  });
  verbs.add<{ readonly container?: string }>({
    usage: 'cp <source> <destination>', about: 'Copy files to or from a task (TARGET:PATH), as docker cp; - is a tar archive on stdin or stdout',
    examples: ['clusterctl cp shop/web:/etc/nginx ./nginx', 'clusterctl cp app.conf shop/web:/etc/app.conf', 'tar -c . | clusterctl cp - shop/web:/srv'],
    options: inContainer,
    run: async (shell, args, flags) => { await (await import('./commands/copy-flow.ts')).copyFiles(shell, one(args[0]), one(args[1]), flags); },
  });
  verbs.add<PortForwardFlags>({
    usage: 'port-forward <target> [ports...]', about: 'Forward ports of this machine to ports of a task, published or not: [LOCAL:]REMOTE',
    examples: ['clusterctl port-forward shop/web 8080:80', 'clusterctl port-forward task/k3f9abcd2345 :5432', 'clusterctl port-forward shop/web 8080:80 9090 --address 0.0.0.0'],
    options: command => command.option('--address <addresses>', 'Addresses to listen on, separated by commas', 'localhost'),
    run: async (shell, args, flags) => { await (await import('./commands/port-forward-flow.ts')).forwardPorts(shell, one(args[0]), many(args[1]), flags); },
  });
  addRunVerb(verbs);
}

function addNodeVerbs(verbs: VerbTable): void {
  verbs.add<{ readonly overwrite?: boolean }>({
    usage: 'label <words...>', about: 'Set (KEY=VALUE) or remove (KEY-) labels of nodes; labels of services are in their manifests',
    examples: ['clusterctl label node/n3 disk=ssd', 'clusterctl label nodes n1 n2 zone=a rack-', 'clusterctl label node n3 disk=hdd --overwrite'],
    options: command => command.option('--overwrite', 'Replace existing values'),
    run: async (shell, args, flags) => { await (await import('./commands/node-flow.ts')).labelObjects(shell, many(args[0]), flags); },
  });
  const node = verbs.group('node', 'Manage the nodes of the cluster');
  node.add<ListNodesFlags>({
    usage: 'ls', about: 'List nodes', examples: ['clusterctl node ls', 'clusterctl node ls -o wide', "clusterctl node ls --format '{{.ID}} {{.Status}}'"], options: formatted,
    run: async (shell, _, flags) => { await (await import('./commands/get-flow.ts')).listNodes(shell, flags); },
  });
  node.add({
    usage: 'inspect <nodes...>', about: 'Print all that is known of nodes, as a JSON array', examples: ['clusterctl node inspect n1', 'clusterctl node inspect n1 n2 -o yaml'],
    run: async (shell, args) => { await (await import('./commands/inspect-flow.ts')).inspectTargets(shell, many(args[0]), { type: 'node' }); },
  });
  for (const [name, availability, about] of [
    ['cordon', 'cordoned', 'Place no new tasks on nodes'], ['uncordon', 'active', 'Allow new tasks on nodes again'],
  ] as const) {
    node.add({
      usage: `${name} <nodes...>`, about, examples: [`clusterctl node ${name} n1`],
      run: async (shell, args) => { await (await import('./commands/node-flow.ts')).setAvailability(shell, many(args[0]), availability); },
    });
  }
  node.add<DrainFlags>({
    usage: 'drain <nodes...>', about: 'Move the tasks of nodes elsewhere; each is replaced before it is stopped; exit code 1 and the reason if some cannot leave',
    examples: ['clusterctl node drain n1', 'clusterctl node drain n1 --force', 'clusterctl node drain n1 n2 --deadline 10m'],
    options: command => command.option('--detach', 'Do not wait').option('--wait', 'Also wait for tasks that cannot leave now')
      .option('--force', 'Stop tasks that cannot leave, after all others have left').option('--deadline <duration>', 'Wait this long for tasks that cannot leave, then stop them'),
    run: async (shell, args, flags) => { await (await import('./commands/drain-flow.ts')).drainNodes(shell, many(args[0]), flags); },
  });
  node.add({
    usage: 'label <node> <changes...>', about: 'KEY=VALUE sets, KEY- removes', examples: ['clusterctl node label n1 zone=a disk=ssd', 'clusterctl node label n1 disk-'],
    run: async (shell, args) => { await (await import('./commands/node-flow.ts')).labelNode(shell, one(args[0]), many(args[1])); },
  });
  node.add({
    usage: 'taint <node> <changes...>', about: 'TAINT adds, TAINT- removes', examples: ['clusterctl node taint n1 spot', 'clusterctl node taint n1 spot-'],
    run: async (shell, args) => { await (await import('./commands/node-flow.ts')).taintNode(shell, one(args[0]), many(args[1])); },
  });
  node.add({
    usage: 'rm <nodes...>', about: 'Remove drained or lost nodes; refused for a silent node with tasks or data', examples: ['clusterctl node rm n1'],
    run: async (shell, args) => { await (await import('./commands/node-flow.ts')).removeNodes(shell, many(args[0])); },
  });
  node.add<ReplaceFlags>({
    usage: 'replace <node>', about: 'Cut off the machine of a node, wait until its tasks are lost, and print a join token for the new machine',
    examples: ['clusterctl node replace n1', 'clusterctl node replace n1 --confirm-lost', 'clusterctl node replace n1 --force --ttl 10m'],
    options: command => command.option('--ttl <duration>', 'Life of the token, at most 1h', '1h')
      .option('--confirm-lost', 'The old machine is off for certain: do not wait until its tasks are lost')
      .option('--force', 'Also a node that is ready and has tasks or data'),
    run: async (shell, args, flags) => { await (await import('./commands/replace-flow.ts')).replaceNode(shell, one(args[0]), flags); },
  });
  node.add({
    usage: 'confirm-lost <nodes...>', about: 'Confirm that silent nodes are powered off, so that they are lost at once', examples: ['clusterctl node confirm-lost n4 n5 n6'],
    run: async (shell, args) => { await (await import('./commands/node-flow.ts')).confirmLost(shell, many(args[0])); },
  });
}

function addClusterVerbs(verbs: VerbTable): void {
  const secret = verbs.group('secret', 'Manage secrets');
  secret.add<SecretFlags>({
    usage: 'create <name>', about: 'Write a new version of a secret', examples: ['printf %s "$PASSWORD" | clusterctl secret create db-password --from-stdin'],
    options: command => command.option('--from-file <path>', 'Read the value from this file').option('--from-stdin', 'Read the value from stdin'),
    run: async (shell, args, flags) => { await (await import('./commands/secret-flow.ts')).createSecret(shell, one(args[0]), flags); },
  });
  secret.add({ usage: 'ls', about: 'List secrets with their versions', examples: ['clusterctl secret ls -A'], run: async shell => { await (await import('./commands/secret-flow.ts')).listSecrets(shell); } });
  secret.add({
    usage: 'inspect <names...>', about: 'Print versions and uses of secrets as a JSON array, never their values', examples: ['clusterctl secret inspect db-password'],
    run: async (shell, args) => { await (await import('./commands/inspect-flow.ts')).inspectTargets(shell, many(args[0]), { type: 'secret' }); },
  });
  secret.add({
    usage: 'rm <name>', about: 'Delete a secret with all versions', examples: ['clusterctl secret rm db-password'],
    run: async (shell, args) => { await (await import('./commands/secret-flow.ts')).deleteSecret(shell, one(args[0])); },
  });
  const namespace = verbs.group('namespace', 'Manage policies and quotas of namespaces');
  namespace.add<NamespaceFlags>({
    usage: 'set <name>', about: 'Change the policy of a namespace; running tasks are not affected',
    examples: ['clusterctl namespace set prod --profile restricted', 'clusterctl namespace set infra --profile privileged --bind-prefix /srv/data'],
    options: command => command.option('--profile <profile>', 'Most permissive profile: restricted, baseline or privileged')
      .option('--bind-prefix <dir>', 'Host directory that services may bind; may be repeated; replaces the previous list', collect)
      .option('--clear-bind-prefixes', 'Allow no host directories')
      .option('--quota <amounts>', 'Quota of all requests, such as cpus=10,memory=20Gi,tasks=100,nvidia.com/gpu=4; replaces the previous one')
      .option('--clear-quota', 'Remove the quota'),
    run: async (shell, args, flags) => { await (await import('./commands/namespace-flow.ts')).setNamespace(shell, one(args[0]), flags); },
  });
  namespace.add({ usage: 'ls', about: 'List namespaces with their policies', examples: ['clusterctl namespace ls'], run: async shell => { await (await import('./commands/namespace-flow.ts')).listNamespaces(shell); } });
  namespace.add({
    usage: 'rm <name>', about: 'Remove the policy: profile baseline at most, no host directories', examples: ['clusterctl namespace rm prod'],
    run: async (shell, args) => { await (await import('./commands/namespace-flow.ts')).deleteNamespace(shell, one(args[0])); },
  });
  verbs.group('token', 'Manage join tokens').add<{ readonly ttl?: string; readonly role?: string }>({
    usage: 'create', about: 'Create a join token for one use', examples: ['clusterctl token create --ttl 10m'],
    options: command => command.option('--ttl <duration>', 'Lifetime (at most 1h)', '1h').option('--role <role>', 'Role of the token: node', 'node'),
    run: async (shell, _, flags) => { await (await import('./commands/cluster-flow.ts')).createToken(shell, flags); },
  });
  const context = verbs.group('context', 'Manage contexts: the clusters that this machine knows');
  context.add({ usage: 'ls', about: 'List contexts', examples: ['clusterctl context ls'], run: async shell => { await (await import('./commands/context-flow.ts')).listContexts(shell); } });
  context.add({
    usage: 'use <name>', about: 'Use another context', examples: ['clusterctl context use prod'],
    run: async (shell, args) => { await (await import('./commands/context-flow.ts')).useContext(shell, one(args[0])); },
  });
  context.add({
    usage: 'renew [name]', about: 'Renew the certificate of a context before it ends, for the same key, name and life', examples: ['clusterctl context renew prod'],
    run: async (shell, args) => { await (await import('./commands/context-flow.ts')).renewContext(shell, args[0] === undefined ? undefined : one(args[0])); },
  });
  verbs.add<{ readonly client?: boolean }>({
    usage: 'version', about: 'Print client and server version', examples: ['clusterctl version', 'clusterctl version -o json'], options: command => command.option('--client', 'Print only the client version'),
    run: async (shell, _, flags) => { await (await import('./commands/cluster-flow.ts')).showVersion(shell, VERSION, flags); },
  });
}

function addMachineVerbs(verbs: VerbTable): void {
  const configDir = (command: Command): Command => command.option('--config-dir <dir>', 'Configuration directory (default: /etc/gantry)');
  verbs.add<InitFlags>({
    usage: 'init', about: 'Create the keys of a new cluster on this machine', examples: ['clusterctl init --address 10.0.0.1:7400', 'clusterctl init --address 10.0.0.1:7400,10.0.0.2:7400,10.0.0.3:7400'],
    options: command => configDir(command).option('--address <host:port,...>', 'Address of each controller').option('--name <name>', 'Name of the context'),
    run: async (shell, _, flags) => { await (await import('./commands/machine-flow.ts')).initCluster(shell, flags); },
  });
  verbs.add<JoinFlags>({
    usage: 'join <address>', about: 'Join this machine to a cluster as a node; ADDRESS is --join-listen of a controller',
    examples: ['clusterctl join 10.0.0.1:7403 --token gantry-join-v1....'],
    options: command => configDir(command).option('--token <token>', 'Token of `clusterctl token create` (default: read from stdin)').option('--node <name>', 'Name of the node (default: the host name)').option('--name <name>', 'The same as --node').option('--state-dir <dir>', 'State directory of the agent (default: /var/lib/gantry)'),
    run: async (shell, args, flags) => { await (await import('./commands/machine-flow.ts')).joinMachine(shell, one(args[0]), flags); },
  });
}

function addCompletion(verbs: VerbTable, program: Command): void {
  verbs.add({
    usage: 'completion <shell> [words...]', about: 'Print a completion script for bash, zsh or fish', examples: ['source <(clusterctl completion bash)'],
    options: command => command.passThroughOptions(),
    run: async (shell, args) => { await (await import('./commands/completion-flow.ts')).printCompletion(shell, program, one(args[0]), many(args[1])); },
  });
}
