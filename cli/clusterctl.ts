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
  addDevVerbs(verbs.group('dev', 'a local cluster on this machine'));
  groupVerbs(program);
  return program;
}

function addObjectVerbs(verbs: VerbTable): void {
  verbs.add<GetFlags>({
    usage: 'get <type> [names...]', about: 'list objects: apps, svc, jobs, crons, tasks, nodes, configs, secrets, volumes, events; several types with commas, one object as TYPE/NAME',
    examples: ['clusterctl get svc', 'clusterctl get svc,tasks', 'clusterctl get svc/shop/web node/n1', 'clusterctl get svc shop/web -o json', 'clusterctl get tasks -A -w'],
    options: command => command.option('-w, --watch', 'print again whenever something changes'),
    run: async (shell, args, flags) => { await (await import('./commands/get-flow.ts')).getObjects(shell, one(args[0]), many(args[1]), flags); },
  });
  verbs.add<PsFlags>({
    usage: 'ps [targets...]', about: 'the tasks of the cluster, or of services, apps or nodes, as docker ps shows containers',
    examples: ['clusterctl ps', 'clusterctl ps shop/web', 'clusterctl ps -a --filter service=web', 'clusterctl ps --node n2 -q', 'clusterctl ps -s', "clusterctl ps --format '{{.ID}}\\t{{.Names}}'", "clusterctl ps --format 'table {{.Names}}\\t{{.Node}}\\t{{.Status}}'"],
    options: command => formatted(command).option('-a, --all', 'ended ones too').option('-s, --size', 'also what they wrote into their root file systems').option('--node <name>', 'only on this node')
      .option('--filter <field=value>', 'only with this field of -o json', collect).option('-w, --watch', 'print again whenever something changes'),
    run: async (shell, args, flags) => { await (await import('./commands/ps-flow.ts')).listTasks(shell, many(args[0]), flags); },
  });
  verbs.add<TopFlags>({
    usage: 'top [type]', about: 'what tasks, or nodes, use now, as docker stats shows containers',
    examples: ['clusterctl top', 'clusterctl top tasks --node n2 -w', 'clusterctl top nodes -o json'],
    options: command => command.option('--node <name>', 'only this node').option('-w, --watch', 'again each 2 s'),
    run: async (shell, args, flags) => { await (await import('./commands/top-flow.ts')).showUsage(shell, one(args[0]), flags); },
  });
  verbs.add({
    usage: 'describe <targets...>', about: 'all that is known of one object, with its tasks and events; of configs and secrets who mounts them, never what is in them',
    examples: ['clusterctl describe shop/web', 'clusterctl describe node/n2', 'clusterctl describe node n2', 'clusterctl describe secret/db-password', 'clusterctl describe config/shop/web-toml', 'clusterctl describe volume/data-0'],
    run: async (shell, args) => { await (await import('./commands/describe-flow.ts')).describeTargets(shell, many(args[0])); },
  });
  verbs.add<EventFlags>({
    usage: 'events [target]', about: 'what happened, everywhere and to nodes too; -n NAMESPACE: to its Apps, services and tasks; of an App also to its services and tasks, of a service also to its tasks',
    examples: ['clusterctl events', 'clusterctl events shop/web --since 10m', 'clusterctl events -n prod', 'clusterctl events --type warning', 'clusterctl events -w -o json'],
    options: command => command.option('-w, --watch', 'go on with new ones').option('-f, --follow', 'the same').option('--since <duration>', 'only this long back')
      .option('--type <type>', 'Only events of this type: normal or warning'),
    run: async (shell, args, flags) => {
      await (await import('./commands/events-flow.ts')).listEvents(shell, { ...flags, ...(args[0] === undefined ? {} : { target: one(args[0]) }) });
    },
  });
  verbs.add<ExplainFlags>({
    usage: 'explain [field]', about: 'what a field of the manifest means, which type it has and what it is when it is left out',
    examples: ['clusterctl explain services.update.max_surge', 'clusterctl explain svc.healthcheck', 'clusterctl explain --recursive', 'clusterctl explain services.resources -o json'],
    options: command => command.option('--recursive', 'all fields below it'),
    run: async (shell, args, flags) => { await (await import('./commands/explain-flow.ts')).explainField(shell, one(args[0]), flags); },
  });
  verbs.add<{ readonly for: string }>({
    usage: 'wait <target>', about: 'wait until something is so',
    examples: ['clusterctl wait shop/web --for healthy --timeout 2m', 'clusterctl wait job/shop/report --for condition=complete', 'clusterctl wait node/n1 --for condition=ready'],
    options: command => command.requiredOption('--for <condition>', 'healthy (of nodes: ready), complete, running or deleted; as kubectl has it also condition=ready, condition=available, condition=complete and delete'),
    run: async (shell, args, flags) => { await (await import('./commands/cluster-flow.ts')).waitFor(shell, one(args[0]), flags.for); },
  });
}

function addChangeVerbs(verbs: VerbTable): void {
  verbs.add<ApplyFlags>({
    usage: 'apply', about: 'make the cluster as the manifests say, each App in one transaction',
    examples: ['clusterctl apply -f shop.yaml', 'clusterctl apply -f shop/ --var TAG=1.4.2 --wait', 'clusterctl apply -f shop.yaml --dry-run'],
    options: command => command
      .requiredOption('-f, --filename <path>', 'manifest, directory, or - for stdin; may be repeated', collect)
      .option('--dry-run', 'check everything on the server, write nothing').option('--prune', 'delete the Apps of these namespaces that no manifest names')
      .option('--plan <id>', 'only if the cluster is as `plan --save` saw it').option('--wait', 'until all is healthy and the nodes lead requests there (default on a terminal)').option('--detach', 'do not wait')
      .option('--var <name=value>', 'value for ${NAME}; may be repeated', collect).option('--env-file <path>', 'values for ${NAME}', collect),
    run: async (shell, _, flags) => {
      await (await import('./commands/apply-flow.ts')).applyManifests(shell, flags);
    },
  });
  addPlanVerb(verbs, 'plan', 'what an apply, or other nodes, would do: the node of every task; exit code 0 nothing, 1 changes, 2 error');
  addPlanVerb(verbs, 'diff', 'which fields an apply would change; exit codes as plan');
  verbs.add<{ readonly node?: string }>({
    usage: 'why <target>', about: 'why a service or task is pending, where it is, restarted or rolled back; with the cheapest fix',
    examples: ['clusterctl why svc/shop/web', 'clusterctl why shop/web --node n2', 'clusterctl why task/k3f9abcd2345 -o json'],
    options: command => command.option('--node <name>', 'why it is, or is not, on this node'),
    run: async (shell, args, flags) => { await (await import('./commands/why-flow.ts')).explainTarget(shell, one(args[0]), flags); },
  });
  verbs.add<DeleteFlags>({
    usage: 'delete [targets...]', about: 'delete Apps, services, tasks, secrets, nodes; waits until nothing is left of them',
    examples: ['clusterctl delete app/shop', 'clusterctl delete app/shop --volumes', 'clusterctl delete -f shop.yaml', 'clusterctl delete svc/shop/web --detach'],
    options: command => command.option('-f, --filename <path>', 'the Apps of these manifests', collect).option('--detach', 'do not wait').option('--volumes', 'with the data of the Apps\' volumes')
      .option('--wait [true|false]', 'Wait until nothing is left (the default); --wait=false is --detach')
      .option('--var <name=value>', 'value for ${NAME}; may be repeated', collect).option('--env-file <path>', 'values for ${NAME}', collect),
    run: async (shell, args, flags) => { await (await import('./commands/delete-flow.ts')).deleteObjects(shell, many(args[0]), flags); },
  });
  verbs.add<ScaleFlags>({
    usage: 'scale <pairs...>', about: 'set how many tasks a service has',
    examples: ['clusterctl scale shop/web=5 shop/api=2', 'clusterctl scale shop/web --replicas=5 --wait'],
    options: command => command.option('--replicas <count>', 'for targets without =').option('--wait', 'until all is healthy and the nodes lead requests there'),
    run: async (shell, args, flags) => { await (await import('./commands/scale-flow.ts')).scaleServices(shell, many(args[0]), flags); },
  });
}

function addCronVerbs(verbs: VerbTable): void {
  verbs.add<TriggerFlags>({
    usage: 'trigger <crons...>', about: 'run a cron now, beside its schedule: a job of its own, whatever the cron says of concurrency and suspension',
    examples: ['clusterctl trigger shop/report', 'clusterctl trigger cron/shop/report --wait'],
    options: command => command.option('--wait', 'until the run has ended; exit code 1 when it failed'),
    run: async (shell, args, flags) => { await (await import('./commands/trigger-flow.ts')).triggerCrons(shell, many(args[0]), flags); },
  });
}

function addPlanVerb(verbs: VerbTable, name: 'plan' | 'diff', about: string): void {
  verbs.add<PlanFlags>({
    usage: name, about,
    examples: [`clusterctl ${name} -f shop.yaml`, `clusterctl ${name} -f shop.yaml --save`, `clusterctl ${name} --without-node n2`, `clusterctl ${name} --add-node name=n9,cpu=4,memory=8Gi,disk=100Gi,pids=4096,device=nvidia.com/gpu:2,taint=spot,zone=b`],
    options: command => command
      .option('-f, --filename <path>', 'manifest, directory, or - for stdin; may be repeated', collect)
      .option('--save', 'print an id for `apply --plan`, kept an hour')
      .option('--without-node <name>', 'as if this node were being drained; may be repeated', collect)
      .option('--add-node <spec>', 'as if there were this node too; may be repeated', collect)
      .option('--var <name=value>', 'value for ${NAME}; may be repeated', collect).option('--env-file <path>', 'values for ${NAME}', collect),
    run: async (shell, _, flags) => { await (await import('./commands/plan-flow.ts')).planManifests(shell, flags, name); },
  });
}

function inContainer(command: Command): Command {
  return command.option('-c, --container <name>', 'this init container or sidecar; default: the main container');
}

function addTaskVerbs(verbs: VerbTable): void {
  verbs.add<LogFlags>({
    usage: 'logs <targets...>', about: 'what tasks wrote',
    examples: ['clusterctl logs shop/web', 'clusterctl logs -f --tail 20 shop/web shop/api'],
    options: command => inContainer(command).option('-f, --follow', 'go on with new lines').option('--tail <lines>', 'only the last lines of each task')
      .option('--since <duration>', 'only this long back, or from this time on').option('-t, --timestamps', 'time in front of each line').option('--all', 'ended tasks too')
      .option('--previous', 'of the run before the newest one')
      .option('--raw', 'Print control characters as the task wrote them (default on a terminal: escaped, except for tasks with a TTY)'),
    run: async (shell, args, flags) => { await (await import('./commands/logs-flow.ts')).showLogs(shell, many(args[0]), flags); },
  });
  verbs.add<ExecFlags>({
    usage: 'exec <target> [command...]', about: 'run a command in a task; its exit code is ours',
    examples: ['clusterctl exec -it shop/web -- sh', 'clusterctl exec task/k3f9abcd2345 -- cat /etc/hostname'],
    options: command => inContainer(command.passThroughOptions()).option('-i, --interactive', 'send our stdin').option('-t, --tty', 'give it a terminal')
      .option('-u, --user <user>', 'name or uid[:gid]').option('-w, --workdir <path>', 'working directory').option('-e, --env <name=value>', 'variable', collect),
    run: async (shell, args, flags) => { await (await import('./commands/exec-flow.ts')).execInTask(shell, one(args[0]), many(args[1]), flags); },
  });
  verbs.add<DebugFlags>({
    usage: 'debug <target> [command...]', about: 'a container of tools beside a running task: in its network, with its processes; its files are at /proc/1/root',
    examples: ['clusterctl debug -it shop/web -- sh', 'clusterctl debug shop/web --image acme/tools:1 -- ss -ltn'],
    options: command => inContainer(command).option('-i, --interactive', 'send our stdin').option('-t, --tty', 'give it a terminal')
      .option('--image <image>', 'default: busybox').option('-e, --env <name=value>', 'variable', collect),
    run: async (shell, args, flags) => { await (await import('./commands/debug-flow.ts')).debugTask(shell, one(args[0]), many(args[1]), flags); },
  });
  verbs.add<{ readonly stdin?: boolean; readonly container?: string }>({
    usage: 'attach <target>', about: 'be at the task\'s own process; ctrl-p ctrl-q leaves it running',
    examples: ['clusterctl attach shop/web', 'clusterctl attach --no-stdin task/k3f9abcd2345'],
    options: command => inContainer(command).option('--no-stdin', 'send nothing'),
    run: async (shell, args, flags) => { await (await import('./commands/exec-flow.ts')).attachToTask(shell, one(args[0]), flags); },
  });
  verbs.add<{ readonly container?: string }>({
    usage: 'cp <source> <destination>', about: 'copy files to or from a task: TARGET:PATH, as docker cp; - is a tar on stdin or stdout',
    examples: ['clusterctl cp shop/web:/etc/nginx ./nginx', 'clusterctl cp app.conf shop/web:/etc/app.conf', 'tar -c . | clusterctl cp - shop/web:/srv'],
    options: inContainer,
    run: async (shell, args, flags) => { await (await import('./commands/copy-flow.ts')).copyFiles(shell, one(args[0]), one(args[1]), flags); },
  });
  verbs.add<PortForwardFlags>({
    usage: 'port-forward <target> [ports...]', about: 'ports of this machine that lead to ports of a task, whether they are published or not: [LOCAL:]REMOTE',
    examples: ['clusterctl port-forward shop/web 8080:80', 'clusterctl port-forward task/k3f9abcd2345 :5432', 'clusterctl port-forward shop/web 8080:80 9090 --address 0.0.0.0'],
    options: command => command.option('--address <addresses>', 'addresses to listen on, separated by commas', 'localhost'),
    run: async (shell, args, flags) => { await (await import('./commands/port-forward-flow.ts')).forwardPorts(shell, one(args[0]), many(args[1]), flags); },
  });
  addRunVerb(verbs);
}

function addNodeVerbs(verbs: VerbTable): void {
  verbs.add<{ readonly overwrite?: boolean }>({
    usage: 'label <words...>', about: 'set and remove labels of nodes: KEY=VALUE sets, KEY- removes; those of services are in their manifests',
    examples: ['clusterctl label node/n3 disk=ssd', 'clusterctl label nodes n1 n2 zone=a rack-', 'clusterctl label node n3 disk=hdd --overwrite'],
    options: command => command.option('--overwrite', 'also keys that have another value now'),
    run: async (shell, args, flags) => { await (await import('./commands/node-flow.ts')).labelObjects(shell, many(args[0]), flags); },
  });
  const node = verbs.group('node', 'the machines of the cluster');
  node.add<ListNodesFlags>({
    usage: 'ls', about: 'list nodes', examples: ['clusterctl node ls', 'clusterctl node ls -o wide', "clusterctl node ls --format '{{.ID}} {{.Status}}'"], options: formatted,
    run: async (shell, _, flags) => { await (await import('./commands/get-flow.ts')).listNodes(shell, flags); },
  });
  node.add({
    usage: 'inspect <nodes...>', about: 'Print all that is known of nodes, as a JSON array', examples: ['clusterctl node inspect n1', 'clusterctl node inspect n1 n2 -o yaml'],
    run: async (shell, args) => { await (await import('./commands/inspect-flow.ts')).inspectTargets(shell, many(args[0]), { type: 'node' }); },
  });
  for (const [name, availability, about] of [
    ['cordon', 'cordoned', 'place nothing new there'], ['uncordon', 'active', 'place tasks there again'],
  ] as const) {
    node.add({
      usage: `${name} <nodes...>`, about, examples: [`clusterctl node ${name} n1`],
      run: async (shell, args) => { await (await import('./commands/node-flow.ts')).setAvailability(shell, many(args[0]), availability); },
    });
  }
  node.add<DrainFlags>({
    usage: 'drain <nodes...>', about: 'move its tasks elsewhere, each replaced before it is stopped; exit code 1 where some cannot leave, with the reason',
    examples: ['clusterctl node drain n1', 'clusterctl node drain n1 --force', 'clusterctl node drain n1 n2 --deadline 10m'],
    options: command => command.option('--detach', 'do not wait').option('--wait', 'also until what cannot leave now can')
      .option('--force', 'stop what cannot leave, when all else has left').option('--deadline <duration>', 'wait this long for what cannot leave, then stop what is left'),
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
    usage: 'rm <nodes...>', about: 'forget nodes that are drained or lost; a silent one with tasks or data is refused', examples: ['clusterctl node rm n1'],
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
    usage: 'confirm-lost <nodes...>', about: 'say that silent nodes are off for certain: they are lost at once, many at a time too', examples: ['clusterctl node confirm-lost n4 n5 n6'],
    run: async (shell, args) => { await (await import('./commands/node-flow.ts')).confirmLost(shell, many(args[0])); },
  });
}

function addClusterVerbs(verbs: VerbTable): void {
  const secret = verbs.group('secret', 'values that only tasks see');
  secret.add<SecretFlags>({
    usage: 'create <name>', about: 'write a new version', examples: ['printf %s "$PASSWORD" | clusterctl secret create db-password --from-stdin'],
    options: command => command.option('--from-file <path>', 'value').option('--from-stdin', 'value'),
    run: async (shell, args, flags) => { await (await import('./commands/secret-flow.ts')).createSecret(shell, one(args[0]), flags); },
  });
  secret.add({ usage: 'ls', about: 'list names and versions', examples: ['clusterctl secret ls -A'], run: async shell => { await (await import('./commands/secret-flow.ts')).listSecrets(shell); } });
  secret.add({
    usage: 'inspect <names...>', about: 'Print versions and uses of secrets as a JSON array, never their values', examples: ['clusterctl secret inspect db-password'],
    run: async (shell, args) => { await (await import('./commands/inspect-flow.ts')).inspectTargets(shell, many(args[0]), { type: 'secret' }); },
  });
  secret.add({
    usage: 'rm <name>', about: 'delete all versions', examples: ['clusterctl secret rm db-password'],
    run: async (shell, args) => { await (await import('./commands/secret-flow.ts')).deleteSecret(shell, one(args[0])); },
  });
  const namespace = verbs.group('namespace', 'what the services of a namespace may ask for');
  namespace.add<NamespaceFlags>({
    usage: 'set <name>', about: 'change its policy; what is running stays as it is',
    examples: ['clusterctl namespace set prod --profile restricted', 'clusterctl namespace set infra --profile privileged --bind-prefix /srv/data'],
    options: command => command.option('--profile <profile>', 'the widest that services may have: restricted, baseline or privileged')
      .option('--bind-prefix <dir>', 'host directory that services may bind; may be repeated, all of them replace those before', collect)
      .option('--clear-bind-prefixes', 'no host directory any more')
      .option('--quota <amounts>', 'what its tasks may ask for together, such as cpus=10,memory=20Gi,tasks=100,nvidia.com/gpu=4; replaces the one before')
      .option('--clear-quota', 'no quota any more'),
    run: async (shell, args, flags) => { await (await import('./commands/namespace-flow.ts')).setNamespace(shell, one(args[0]), flags); },
  });
  namespace.add({ usage: 'ls', about: 'list them with their policies', examples: ['clusterctl namespace ls'], run: async shell => { await (await import('./commands/namespace-flow.ts')).listNamespaces(shell); } });
  namespace.add({
    usage: 'rm <name>', about: 'take its policy away: baseline at most, no host directory', examples: ['clusterctl namespace rm prod'],
    run: async (shell, args) => { await (await import('./commands/namespace-flow.ts')).deleteNamespace(shell, one(args[0])); },
  });
  verbs.group('token', 'what a new node joins with').add<{ readonly ttl?: string; readonly role?: string }>({
    usage: 'create', about: 'a token that is good once', examples: ['clusterctl token create --ttl 10m'],
    options: command => command.option('--ttl <duration>', 'at most 1h', '1h').option('--role <role>', 'node', 'node'),
    run: async (shell, _, flags) => { await (await import('./commands/cluster-flow.ts')).createToken(shell, flags); },
  });
  const context = verbs.group('context', 'the clusters this machine knows');
  context.add({ usage: 'ls', about: 'list them', examples: ['clusterctl context ls'], run: async shell => { await (await import('./commands/context-flow.ts')).listContexts(shell); } });
  context.add({
    usage: 'use <name>', about: 'talk to this one from now on', examples: ['clusterctl context use prod'],
    run: async (shell, args) => { await (await import('./commands/context-flow.ts')).useContext(shell, one(args[0])); },
  });
  context.add({
    usage: 'renew [name]', about: 'Renew the certificate of a context before it ends, for the same key, name and life', examples: ['clusterctl context renew prod'],
    run: async (shell, args) => { await (await import('./commands/context-flow.ts')).renewContext(shell, args[0] === undefined ? undefined : one(args[0])); },
  });
  verbs.add<{ readonly client?: boolean }>({
    usage: 'version', about: 'whose clusterctl this is, and which', examples: ['clusterctl version', 'clusterctl version -o json'], options: command => command.option('--client', 'without asking the cluster'),
    run: async (shell, _, flags) => { await (await import('./commands/cluster-flow.ts')).showVersion(shell, VERSION, flags); },
  });
}

function addMachineVerbs(verbs: VerbTable): void {
  const configDir = (command: Command): Command => command.option('--config-dir <dir>', 'default: /etc/gantry');
  verbs.add<InitFlags>({
    usage: 'init', about: 'make the keys of a new cluster on this machine', examples: ['clusterctl init --address 10.0.0.1:7400', 'clusterctl init --address 10.0.0.1:7400,10.0.0.2:7400,10.0.0.3:7400'],
    options: command => configDir(command).option('--address <host:port,...>', 'how clusterctl reaches each controller').option('--name <name>', 'of the context'),
    run: async (shell, _, flags) => { await (await import('./commands/machine-flow.ts')).initCluster(shell, flags); },
  });
  verbs.add<JoinFlags>({
    usage: 'join <address>', about: 'make this machine a node; ADDRESS is a controller\'s --join-listen',
    examples: ['clusterctl join 10.0.0.1:7403 --token gantry-join-v1....'],
    options: command => configDir(command).option('--token <token>', 'from clusterctl token create; default: read from stdin').option('--node <name>', 'default: the host name').option('--name <name>', 'The same as --node').option('--state-dir <dir>', 'where the agent will keep its state; default: /var/lib/gantry'),
    run: async (shell, args, flags) => { await (await import('./commands/machine-flow.ts')).joinMachine(shell, one(args[0]), flags); },
  });
}

function addCompletion(verbs: VerbTable, program: Command): void {
  verbs.add({
    usage: 'completion <shell> [words...]', about: 'script for bash, zsh or fish', examples: ['source <(clusterctl completion bash)'],
    options: command => command.passThroughOptions(),
    run: async (shell, args) => { await (await import('./commands/completion-flow.ts')).printCompletion(shell, program, one(args[0]), many(args[1])); },
  });
}
