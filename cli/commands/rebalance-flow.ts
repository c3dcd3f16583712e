/** `rebalance` and `migrate`: tasks that go on at another node, each replaced before it is stopped. */
import { parseNodeId } from '#model/ids.ts';
import type { TaskId } from '#model/ids.ts';
import type { TaskMove } from '#model/ports.ts';
import { isFinished } from '#model/task.ts';
import { EXIT, ProcessExit } from '../exit-code.ts';
import { formatPlan, planItem } from '../format/plan.ts';
import { listNamespace, readCount } from '../options.ts';
import type { Shell } from '../ports.ts';
import { requireTarget } from '../target.ts';
import { printPlain, say } from './print-flow.ts';
import { ProgressLines } from './progress-flow.ts';
import { watchUntil } from './watch-flow.ts';

const MAX_MOVES = 100;

export interface RebalanceFlags {
  readonly plan?: boolean;
  readonly maxMoves: string;
  readonly detach?: boolean;
}

/** Says what moves before it moves. @throws ProcessExit 1 with `--plan` where something would */
export async function rebalance(shell: Shell, flags: RebalanceFlags): Promise<void> {
  const maxMoves = readCount('--max-moves', flags.maxMoves, 1, MAX_MOVES);
  const namespace = listNamespace(shell.options);
  const client = await shell.connect();
  const plan = await client.planMoves({ maxMoves, ...(namespace === undefined ? {} : { namespace }) });
  const isPlain = shell.options.output === 'json' || shell.options.output === 'yaml';
  await (isPlain ? printPlain(shell, planItem(plan)) : say(shell, formatPlan(plan).trimEnd()));
  const moves = plan.actions.flatMap(({ kind, task, node }): readonly TaskMove[] => (kind === 'move' && task !== undefined ? [{ task, node }] : []));
  if (flags.plan === true) {
    if (moves.length > 0) {
      throw new ProcessExit(EXIT.failed);
    }
    return;
  }
  if (moves.length > 0) {
    await client.moveTasks({ requestId: shell.newRequestId(), moves });
    await (flags.detach === true ? undefined : waitForMoves(shell, moves));
  }
}

export async function migrate(shell: Shell, name: string, { to, detach }: { readonly to: string; readonly detach?: boolean }): Promise<void> {
  const node = parseNodeId(to.replace(/^node\//, ''));
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const { task } = requireTarget(name, await client.view(namespace === undefined ? {} : { namespace }), ['task']).task;
  const moves = [{ task: task.id, node }];
  await client.moveTasks({ requestId: shell.newRequestId(), moves });
  await (detach === true ? undefined : waitForMoves(shell, moves));
  await say(shell, `task/${task.id} ${detach === true ? 'moves' : 'moved'} to ${node}`);
}

/** Until each of them has ended: its replacement serves by then. */
async function waitForMoves(shell: Shell, moves: readonly TaskMove[]): Promise<void> {
  const moving: ReadonlySet<TaskId> = new Set(moves.map(one => one.task));
  const lines = new ProgressLines(shell);
  await watchUntil(shell, {}, async view => {
    const left = view.tasks.filter(({ task, status }) => moving.has(task.id) && !isFinished(status?.phase ?? 'pending'));
    const stuck = view.pending.find(one => left.some(({ task }) => task.serviceId === one.service && task.slot === one.slot));
    await lines.draw([`${String(left.length)} of ${String(moving.size)} tasks left to move${stuck === undefined ? '' : ` (${stuck.reason})`}`]);
    return left.length === 0 ? true : undefined;
  });
}
