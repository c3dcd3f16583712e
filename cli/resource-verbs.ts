/** Verbs about tasks that run: their end, their pause, what they may use and do use, all that is known of them; and how they are updated and moved. */
import type { InspectFlags } from './commands/inspect-flow.ts';
import type { RebalanceFlags } from './commands/rebalance-flow.ts';
import type { HistoryFlags, StatusFlags, UndoFlags } from './commands/rollout-flow.ts';
import type { StopFlags } from './commands/scale-flow.ts';
import type { StatsFlags } from './commands/stats-flow.ts';
import type { UpdateFlags } from './commands/update-flow.ts';
import { formatted, many, one } from './verb-table.ts';
import type { VerbTable } from './verb-table.ts';

export function addResourceVerbs(verbs: VerbTable): void {
  addEndVerbs(verbs);
  for (const [name, isPaused, about] of [['pause', true, 'Freeze the processes of tasks; they keep their memory and get no traffic'], ['unpause', false, 'Continue paused tasks']] as const) {
    verbs.add({
      usage: `${name} <targets...>`, about, examples: [`clusterctl ${name} shop/web`, `clusterctl ${name} task/k3f9abcd2345`],
      run: async (shell, args) => { await (await import('./commands/pause-flow.ts')).setPaused(shell, many(args[0]), isPaused); },
    });
  }
  verbs.add<UpdateFlags>({
    usage: 'update <targets...>', about: 'Change resource limits of running tasks: permanently for a service, for a single task until its service changes',
    examples: ['clusterctl update --memory 512Mi shop/web', 'clusterctl update --cpus 1.5 --cpuset-cpus 0-1 task/k3f9abcd2345', 'clusterctl update --memory 256Mi --memory-swap 512Mi seed'],
    options: command => command.option('--cpus <cpus>', 'CPU limit; 0: no limit').option('-m, --memory <amount>', 'Memory limit')
      .option('--memory-swap <amount>', 'Limit of memory plus swap; equal to the memory: no swap').option('--pids-limit <count>', 'Maximum of processes and threads')
      .option('--cpuset-cpus <list>', 'CPUs to run on, such as 0-1,3; empty: all').option('--blkio-weight <weight>', 'Weight on a contended disk, 10 to 1000; 0: default')
      .option('--read-bps <amount>', 'Bytes read from disk per second; 0: no limit').option('--write-bps <amount>', 'Bytes written to disk per second; 0: no limit')
      .option('--read-iops <count>', 'Reads per second; 0: no limit').option('--write-iops <count>', 'Writes per second; 0: no limit')
      .option('--request-cpus <cpus>', 'CPU request, which the scheduler reserves').option('--request-memory <amount>', 'Memory request, which the scheduler reserves'),
    run: async (shell, args, flags) => { await (await import('./commands/update-flow.ts')).updateTargets(shell, many(args[0]), flags); },
  });
  verbs.add<StatsFlags>({
    usage: 'stats [targets...]', about: 'Show live resource usage of tasks, measured on their nodes, as docker stats',
    examples: ['clusterctl stats', 'clusterctl stats --no-stream shop/web', 'clusterctl stats -a -o json', "clusterctl stats --no-stream --format '{{.Name}}\\t{{.CPUPerc}}'"],
    options: command => formatted(command).option('--no-stream', 'Print once').option('-a, --all', 'Include tasks that do not run'),
    run: async (shell, args, flags) => { await (await import('./commands/stats-flow.ts')).showStats(shell, many(args[0]), flags); },
  });
  verbs.add<InspectFlags>({
    usage: 'inspect <targets...>', about: 'Print all details of objects as a JSON array: desired state, reported state, and the state on the node',
    examples: ['clusterctl inspect task/k3f9abcd2345', 'clusterctl inspect shop/web node/n1', 'clusterctl inspect --type app shop', 'clusterctl inspect node n1 n2', 'clusterctl inspect secret/db-password volume/data-0 config/shop/web-toml'],
    options: command => command.option('--type <type>', 'Only objects of this type'),
    run: async (shell, args, flags) => { await (await import('./commands/inspect-flow.ts')).inspectTargets(shell, many(args[0]), flags); },
  });
}

function addEndVerbs(verbs: VerbTable): void {
  verbs.add<StopFlags>({
    usage: 'stop <targets...>', about: 'Stop containers and tasks, or scale services to zero',
    examples: ['clusterctl stop shop/web', 'clusterctl stop -t 2 task/k3f9abcd2345'],
    options: command => command.option('-t, --time <seconds>', 'Seconds from the stop signal to SIGKILL (default: stop_grace_period)'),
    run: async (shell, args, flags) => { await (await import('./commands/scale-flow.ts')).stopTargets(shell, many(args[0]), flags); },
  });
  verbs.add<{ readonly signal?: string }>({
    usage: 'kill <targets...>', about: 'Send a signal to the processes of tasks',
    examples: ['clusterctl kill shop/web', 'clusterctl kill -s HUP task/k3f9abcd2345'],
    options: command => command.option('-s, --signal <name>', 'Signal (default: KILL)'),
    run: async (shell, args, flags) => { await (await import('./commands/signal-flow.ts')).killTargets(shell, many(args[0]), flags); },
  });
  verbs.add<StopFlags>({
    usage: 'restart <targets...>', about: 'Replace the tasks of services by their update rules',
    examples: ['clusterctl restart shop/web', 'clusterctl restart -t 0 shop/web'],
    options: command => command.option('-t, --time <seconds>', 'Seconds from the stop signal to SIGKILL (default: stop_grace_period)'),
    run: async (shell, args, flags) => { await (await import('./commands/scale-flow.ts')).restartTargets(shell, many(args[0]), flags); },
  });
}

export function addRolloutVerbs(verbs: VerbTable): void {
  const rollout = verbs.group('rollout', 'Manage the rollout of revisions');
  rollout.add<StatusFlags>({
    usage: 'status <target>', about: 'Show the progress of a rollout and wait until it is over; exit code 1 if it fails or is rolled back meanwhile',
    examples: ['clusterctl rollout status shop/web', 'clusterctl rollout status shop/web --no-watch -o json'],
    options: command => command.option('--no-watch', 'Print the current state only'),
    run: async (shell, args, flags) => { await (await import('./commands/rollout-flow.ts')).showRollout(shell, one(args[0]), flags); },
  });
  rollout.add<HistoryFlags>({
    usage: 'history <target>', about: 'List the revisions of an App, or those that changed a service, newest first',
    examples: ['clusterctl rollout history shop/web', 'clusterctl rollout history shop/web --revision 3', 'clusterctl rollout history app/shop -o json'],
    options: command => command.option('--revision <number>', 'Show all of one revision'),
    run: async (shell, args, flags) => { await (await import('./commands/rollout-flow.ts')).showHistory(shell, one(args[0]), flags); },
  });
  addUndo(rollout, 'undo');
  addUndo(verbs, 'rollback');
  for (const [name, about] of [
    ['pause', 'Pause a rollout: replace no more tasks; failing tasks are still rolled back'], ['resume', 'Resume a paused rollout'], ['abort', 'Abort a rollout and return to the last settled revision'],
  ] as const) {
    rollout.add({
      usage: `${name} <targets...>`, about, examples: [`clusterctl rollout ${name} shop/web`],
      run: async (shell, args) => { await (await import('./commands/rollout-flow.ts')).changeRollouts(shell, many(args[0]), name); },
    });
  }
  rollout.add<{ readonly all?: boolean }>({
    usage: 'promote <targets...>', about: 'Promote a paused canary step, or send traffic to green',
    examples: ['clusterctl rollout promote shop/web', 'clusterctl rollout promote --all shop/web'], options: command => command.option('--all', 'Skip the remaining steps and continue as a rolling update'),
    run: async (shell, args, { all }) => { await (await import('./commands/rollout-flow.ts')).changeRollouts(shell, many(args[0]), all === true ? 'promote-all' : 'promote'); },
  });
  rollout.add<{ readonly time?: string }>({
    usage: 'restart <targets...>', about: 'Replace every task by the update rules', examples: ['clusterctl rollout restart shop/web'],
    options: command => command.option('-t, --time <seconds>', 'Grace period of the replaced tasks in seconds'),
    run: async (shell, args, flags) => { await (await import('./commands/scale-flow.ts')).restartTargets(shell, many(args[0]), flags); },
  });
  addMoves(verbs);
}

function addUndo(verbs: VerbTable, name: 'undo' | 'rollback'): void {
  const words = name === 'undo' ? 'rollout undo' : name;
  verbs.add<UndoFlags>({
    usage: `${name} <target>`, about: 'Return to an earlier revision with its images, configs and secrets, as a new revision; replicas stay',
    examples: [`clusterctl ${words} shop/web`, `clusterctl ${words} app/shop --to-revision 3 --wait`, `clusterctl ${words} shop/web --dry-run`],
    options: command => command.option('--to-revision <number>', 'Revision to return to (default: the latest that differs)').option('--wait', 'Wait until all tasks are healthy and get traffic (default on a terminal)').option('--detach', 'Do not wait')
      .option('--dry-run', 'Show the changes and the plan of every task, but write nothing'),
    run: async (shell, args, flags) => { await (await import('./commands/rollout-flow.ts')).undoRollout(shell, one(args[0]), flags); },
  });
}

function addMoves(verbs: VerbTable): void {
  verbs.add<RebalanceFlags>({
    usage: 'rebalance', about: 'Move tasks to emptier nodes if it is worth it; each is replaced before it is stopped',
    examples: ['clusterctl rebalance --plan', 'clusterctl rebalance --max-moves 5', 'clusterctl rebalance -n prod'],
    options: command => command.option('--plan', 'Only show the moves; exit code 1 if there are any').option('--max-moves <count>', 'Maximum of moves', '10').option('--detach', 'Do not wait'),
    run: async (shell, _, flags) => { await (await import('./commands/rebalance-flow.ts')).rebalance(shell, flags); },
  });
  verbs.add<{ readonly to: string; readonly detach?: boolean }>({
    usage: 'migrate <task>', about: 'Move a task to another node; its replacement serves before the task is stopped', examples: ['clusterctl migrate task/k3f9abcd2345 --to n2'],
    options: command => command.requiredOption('--to <node>', 'Target node').option('--detach', 'Do not wait'),
    run: async (shell, args, flags) => { await (await import('./commands/rebalance-flow.ts')).migrate(shell, one(args[0]), flags); },
  });
}
