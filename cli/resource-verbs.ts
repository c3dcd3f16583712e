/** Verbs about tasks that run: their end, their pause, what they may use and do use, and all that is known of them. */
import type { InspectFlags } from './commands/inspect-flow.ts';
import type { StopFlags } from './commands/scale-flow.ts';
import type { StatsFlags } from './commands/stats-flow.ts';
import type { UpdateFlags } from './commands/update-flow.ts';
import { many } from './verb-table.ts';
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
    examples: ['clusterctl stats', 'clusterctl stats --no-stream shop/web', 'clusterctl stats -a -o json'],
    options: command => command.option('--no-stream', 'once').option('-a, --all', 'those that do not run, too'),
    run: async (shell, args, flags) => { await (await import('./commands/stats-flow.ts')).showStats(shell, many(args[0]), flags); },
  });
  verbs.add<InspectFlags>({
    usage: 'inspect <targets...>', about: 'the whole truth of objects, as a JSON array: what is wished, what was reported, what the node sees',
    examples: ['clusterctl inspect task/k3f9abcd2345', 'clusterctl inspect shop/web node/n1', 'clusterctl inspect --type app shop'],
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
