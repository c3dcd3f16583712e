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
  for (const [name, isPaused, about] of [['pause', true, 'freeze the processes of tasks; they keep their memory and are sent no requests'], ['unpause', false, 'let paused tasks run on']] as const) {
    verbs.add({
      usage: `${name} <targets...>`, about, examples: [`clusterctl ${name} shop/web`, `clusterctl ${name} task/k3f9abcd2345`],
      run: async (shell, args) => { await (await import('./commands/pause-flow.ts')).setPaused(shell, many(args[0]), isPaused); },
    });
  }
  verbs.add<UpdateFlags>({
    usage: 'update <targets...>', about: 'change what tasks may use while they run: of a service for good, of a task alone until its service\'s resources change',
    examples: ['clusterctl update --memory 512Mi shop/web', 'clusterctl update --cpus 1.5 --cpuset-cpus 0-1 task/k3f9abcd2345', 'clusterctl update --memory 256Mi --memory-swap 512Mi seed'],
    options: command => command.option('--cpus <cpus>', 'limit; 0: none').option('-m, --memory <amount>', 'limit')
      .option('--memory-swap <amount>', 'memory and swap together; as much as the memory: no swap').option('--pids-limit <count>', 'processes and threads')
      .option('--cpuset-cpus <list>', 'only these cpus, as 0-1,3; empty: all').option('--blkio-weight <weight>', 'share of a contended disk, 10..1000; 0: the usual')
      .option('--read-bps <amount>', 'from disk each second; 0: no limit').option('--write-bps <amount>', 'to disk each second; 0: no limit')
      .option('--read-iops <count>', 'reads each second; 0: no limit').option('--write-iops <count>', 'writes each second; 0: no limit')
      .option('--request-cpus <cpus>', 'what placement counts').option('--request-memory <amount>', 'what placement counts'),
    run: async (shell, args, flags) => { await (await import('./commands/update-flow.ts')).updateTargets(shell, many(args[0]), flags); },
  });
  verbs.add<StatsFlags>({
    usage: 'stats [targets...]', about: 'what tasks use now, measured on their nodes, drawn again and again as docker stats does',
    examples: ['clusterctl stats', 'clusterctl stats --no-stream shop/web', 'clusterctl stats -a -o json', "clusterctl stats --no-stream --format '{{.Name}}\\t{{.CPUPerc}}'"],
    options: command => formatted(command).option('--no-stream', 'once').option('-a, --all', 'those that do not run, too'),
    run: async (shell, args, flags) => { await (await import('./commands/stats-flow.ts')).showStats(shell, many(args[0]), flags); },
  });
  verbs.add<InspectFlags>({
    usage: 'inspect <targets...>', about: 'the whole truth of objects, as a JSON array: what is wished, what was reported, what the node sees',
    examples: ['clusterctl inspect task/k3f9abcd2345', 'clusterctl inspect shop/web node/n1', 'clusterctl inspect --type app shop', 'clusterctl inspect node n1 n2', 'clusterctl inspect secret/db-password volume/data-0 config/shop/web-toml'],
    options: command => command.option('--type <type>', 'only objects of this type'),
    run: async (shell, args, flags) => { await (await import('./commands/inspect-flow.ts')).inspectTargets(shell, many(args[0]), flags); },
  });
}

function addEndVerbs(verbs: VerbTable): void {
  verbs.add<StopFlags>({
    usage: 'stop <targets...>', about: 'end containers and tasks, or scale services to nothing',
    examples: ['clusterctl stop shop/web', 'clusterctl stop -t 2 task/k3f9abcd2345'],
    options: command => command.option('-t, --time <seconds>', 'from the stop signal to KILL; default: its stop_grace_period'),
    run: async (shell, args, flags) => { await (await import('./commands/scale-flow.ts')).stopTargets(shell, many(args[0]), flags); },
  });
  verbs.add<{ readonly signal?: string }>({
    usage: 'kill <targets...>', about: 'signal the processes of running and paused tasks',
    examples: ['clusterctl kill shop/web', 'clusterctl kill -s HUP task/k3f9abcd2345'],
    options: command => command.option('-s, --signal <name>', 'default: KILL'),
    run: async (shell, args, flags) => { await (await import('./commands/signal-flow.ts')).killTargets(shell, many(args[0]), flags); },
  });
  verbs.add<StopFlags>({
    usage: 'restart <targets...>', about: 'replace the tasks of services by their update rules',
    examples: ['clusterctl restart shop/web', 'clusterctl restart -t 0 shop/web'],
    options: command => command.option('-t, --time <seconds>', 'from the stop signal to KILL; default: its stop_grace_period'),
    run: async (shell, args, flags) => { await (await import('./commands/scale-flow.ts')).restartTargets(shell, many(args[0]), flags); },
  });
}

export function addRolloutVerbs(verbs: VerbTable): void {
  const rollout = verbs.group('rollout', 'how a service comes from one revision to another');
  rollout.add<StatusFlags>({
    usage: 'status <target>', about: 'Show the progress of a rollout and wait until it is over; exit code 1 if it fails or is rolled back meanwhile',
    examples: ['clusterctl rollout status shop/web', 'clusterctl rollout status shop/web --no-watch -o json'],
    options: command => command.option('--no-watch', 'only as it is now'),
    run: async (shell, args, flags) => { await (await import('./commands/rollout-flow.ts')).showRollout(shell, one(args[0]), flags); },
  });
  rollout.add<HistoryFlags>({
    usage: 'history <target>', about: 'the revisions of an App, or those in which a service changed, newest first: what made each, and which went back',
    examples: ['clusterctl rollout history shop/web', 'clusterctl rollout history shop/web --revision 3', 'clusterctl rollout history app/shop -o json'],
    options: command => command.option('--revision <number>', 'all that this one says'),
    run: async (shell, args, flags) => { await (await import('./commands/rollout-flow.ts')).showHistory(shell, one(args[0]), flags); },
  });
  addUndo(rollout, 'undo');
  addUndo(verbs, 'rollback');
  for (const [name, about] of [
    ['pause', 'replace no more tasks until it is resumed; failing ones are rolled back all the same'], ['resume', 'go on with what was paused'], ['abort', 'back to the revision that settled last'],
  ] as const) {
    rollout.add({
      usage: `${name} <targets...>`, about, examples: [`clusterctl rollout ${name} shop/web`],
      run: async (shell, args) => { await (await import('./commands/rollout-flow.ts')).changeRollouts(shell, many(args[0]), name); },
    });
  }
  rollout.add<{ readonly all?: boolean }>({
    usage: 'promote <targets...>', about: 'leave the canary step that waits behind, or send the requests to green',
    examples: ['clusterctl rollout promote shop/web', 'clusterctl rollout promote --all shop/web'], options: command => command.option('--all', 'no more steps: the rest as a rolling update'),
    run: async (shell, args, { all }) => { await (await import('./commands/rollout-flow.ts')).changeRollouts(shell, many(args[0]), all === true ? 'promote-all' : 'promote'); },
  });
  rollout.add<{ readonly time?: string }>({
    usage: 'restart <targets...>', about: 'replace every task by the update rules', examples: ['clusterctl rollout restart shop/web'],
    options: command => command.option('-t, --time <seconds>', 'grace period of the tasks that are replaced'),
    run: async (shell, args, flags) => { await (await import('./commands/scale-flow.ts')).restartTargets(shell, many(args[0]), flags); },
  });
  addMoves(verbs);
}

function addUndo(verbs: VerbTable, name: 'undo' | 'rollback'): void {
  const words = name === 'undo' ? 'rollout undo' : name;
  verbs.add<UndoFlags>({
    usage: `${name} <target>`, about: 'an earlier revision again, images, configs and secrets together, as the next one; replicas stay',
    examples: [`clusterctl ${words} shop/web`, `clusterctl ${words} app/shop --to-revision 3 --wait`, `clusterctl ${words} shop/web --dry-run`],
    options: command => command.option('--to-revision <number>', 'default: the newest one that differs').option('--wait', 'until all is healthy and the nodes lead requests there (default on a terminal)').option('--detach', 'do not wait')
      .option('--dry-run', 'say what would change, and what would become of every task; write nothing'),
    run: async (shell, args, flags) => { await (await import('./commands/rollout-flow.ts')).undoRollout(shell, one(args[0]), flags); },
  });
}

function addMoves(verbs: VerbTable): void {
  verbs.add<RebalanceFlags>({
    usage: 'rebalance', about: 'move tasks to emptier nodes where that is worth it, each replaced before it is stopped',
    examples: ['clusterctl rebalance --plan', 'clusterctl rebalance --max-moves 5', 'clusterctl rebalance -n prod'],
    options: command => command.option('--plan', 'only say what would move; exit code 1 where something would').option('--max-moves <count>', 'at most so many tasks', '10').option('--detach', 'do not wait'),
    run: async (shell, _, flags) => { await (await import('./commands/rebalance-flow.ts')).rebalance(shell, flags); },
  });
  verbs.add<{ readonly to: string; readonly detach?: boolean }>({
    usage: 'migrate <task>', about: 'move a task to another node: its replacement serves there before it is stopped', examples: ['clusterctl migrate task/k3f9abcd2345 --to n2'],
    options: command => command.requiredOption('--to <node>', 'where its slot goes on').option('--detach', 'do not wait'),
    run: async (shell, args, flags) => { await (await import('./commands/rebalance-flow.ts')).migrate(shell, one(args[0]), flags); },
  });
}
