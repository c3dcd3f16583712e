/** Verbs about rollouts and about where tasks run: what an update does, how it is steered and taken back, and moves between nodes. */
import type { HistoryFlags, StatusFlags, UndoFlags } from './commands/rollout-flow.ts';
import type { RebalanceFlags } from './commands/rebalance-flow.ts';
import { many, one } from './verb-table.ts';
import type { VerbTable } from './verb-table.ts';

export function addRolloutVerbs(verbs: VerbTable): void {
  const rollout = verbs.group('rollout', 'how a service comes from one revision to another');
  rollout.add<StatusFlags>({
    usage: 'status <target>', about: 'where it stands; waits until it is over: exit code 1 where it failed or was rolled back',
    examples: ['clusterctl rollout status shop/web', 'clusterctl rollout status shop/web --no-watch -o json'],
    options: command => command.option('--no-watch', 'only as it is now'),
    run: async (shell, args, flags) => { await (await import('./commands/rollout-flow.ts')).showRollout(shell, one(args[0]), flags); },
  });
  rollout.add<HistoryFlags>({
    usage: 'history <target>', about: 'the revisions of an App, or those in which a service changed, newest first',
    examples: ['clusterctl rollout history shop/web', 'clusterctl rollout history app/shop -o json'],
    run: async (shell, args) => { await (await import('./commands/rollout-flow.ts')).showHistory(shell, one(args[0])); },
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
    examples: [`clusterctl ${words} shop/web`, `clusterctl ${words} app/shop --to-revision 3 --wait`],
    options: command => command.option('--to-revision <number>', 'default: the newest one that differs').option('--wait', 'until all is healthy (default on a terminal)').option('--detach', 'do not wait'),
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
