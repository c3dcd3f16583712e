/** `node drain`: each task is replaced before it is stopped; where some cannot leave, the others do, and the command says what would be right. */
import { ClusterError } from '#model/errors.ts';
import type { NodeId } from '#model/ids.ts';
import type { ClusterView, TaskView } from '#model/ports.ts';
import { printable } from '#model/printable.ts';
import { among, drainLimits, nextDrainStep, stayingTasks, tasksLeft } from '../drain-limits.ts';
import type { PlannedDrain, StayingTask } from '../drain-limits.ts';
import { readDurationFlag } from '../options.ts';
import type { Shell } from '../ports.ts';
import { readNode, setAvailability } from './node-flow.ts';
import { say } from './print-flow.ts';
import { ProgressLines } from './progress-flow.ts';
import { watchUntil } from './watch-flow.ts';

export interface DrainFlags {
  readonly detach?: boolean;
  /** Also for tasks that cannot leave now. */
  readonly wait?: boolean;
  /** Those are stopped, when all others have left. */
  readonly force?: boolean;
  /** Waits this long for them, and then stops what is left. */
  readonly deadline?: string;
}

/** While nothing changes, what cannot leave is asked again this often. */
const LOOK_AGAIN_MS = 15_000;
/** Tasks that the line of progress names. */
const MAX_NAMED = 5;
const PATIENCE_OVER = new Error('nothing became of the drain for a while');

/** A drain in progress; several nodes are drained together: none takes what another gives. */
interface Drain {
  readonly shell: Shell;
  readonly nodes: readonly NodeId[];
  readonly flags: DrainFlags;
  /** On the clock's monotonic time. */
  readonly deadlineMs: number;
}

/** @throws ClusterError FAILED_PRECONDITION naming each task that stays; the nodes are being drained all the same */
export async function drainNodes(shell: Shell, names: readonly string[], flags: DrainFlags): Promise<void> {
  const patienceMs = flags.deadline === undefined ? Number.POSITIVE_INFINITY : readDurationFlag('--deadline', flags.deadline);
  const drain: Drain = { shell, nodes: names.map(readNode), flags, deadlineMs: shell.clock.monotonicMs() + patienceMs };
  const expected = await tellLimits(drain);
  await setAvailability(shell, names, 'draining');
  const staying: StayingTask[] = [];
  for (const node of flags.detach === true ? [] : drain.nodes) {
    staying.push(...await emptyNode(drain, node, expected));
  }
  if (staying.length > 0) {
    const where = [...new Set(staying.map(one => `node/${one.node}`))].join(', ');
    const violations = staying.map(({ task, reason }) => ({ path: `task/${task}`, message: reason }));
    throw new ClusterError('FAILED_PRECONDITION', `${where} ${staying.length === 1 ? 'is not empty: 1 task stays' : `not empty: ${String(staying.length)} tasks stay`}; take the drain back with clusterctl node uncordon`, { violations });
  }
}

/** @returns what stays there when all others have left */
async function emptyNode(drain: Drain, node: NodeId, expected: readonly StayingTask[]): Promise<readonly StayingTask[]> {
  const { shell } = drain;
  const lines = new ProgressLines(shell);
  for (let known = expected; ;) {
    const left = await nextLook(drain, node, async here => {
      await lines.draw([progressLine(node, here, known)]);
      return here.length === 0 || (!waits(drain) && among(here, known).length === here.length);
    });
    if (left.length === 0) {
      await say(shell, `node/${node} drained`);
      return [];
    }
    known = await findStaying(drain, lines);
    const step = nextDrainStep({ left, staying: known, isForced: drain.flags.force === true, waits: waits(drain), isLate: shell.clock.monotonicMs() >= drain.deadlineMs });
    if (step.kind === 'end') {
      return step.staying;
    }
    if (step.kind === 'stop') {
      await stopTasks(shell, step.tasks);
      known = [];
    }
  }
}

function waits({ flags }: Drain): boolean {
  return flags.wait === true || flags.deadline !== undefined;
}

/** What is left on the node when `isEnough`, or when nothing became of it for a while. */
async function nextLook(drain: Drain, node: NodeId, isEnough: (left: readonly TaskView[]) => Promise<boolean>): Promise<readonly TaskView[]> {
  const { shell, deadlineMs } = drain;
  const enough = new AbortController();
  const signal = AbortSignal.any([shell.signal, enough.signal]);
  const patienceMs = Math.min(LOOK_AGAIN_MS, deadlineMs - shell.clock.monotonicMs());
  const patience = shell.clock.sleep(patienceMs, signal).then(() => { enough.abort(PATIENCE_OVER); }, () => { /* the look came first, or the command ends */ });
  let latest: readonly TaskView[] | undefined;
  try {
    return await watchUntil(shell, { node }, async view => {
      latest = tasksLeft(view, node);
      return await isEnough(latest) ? latest : undefined;
    }, signal);
  } catch (error) {
    if (error !== PATIENCE_OVER) {
      throw error;
    }
    return latest ?? tasksLeft(await (await shell.connect()).view({ node }), node);
  } finally {
    enough.abort();
    await patience;
  }
}

function progressLine(node: NodeId, left: readonly TaskView[], known: readonly StayingTask[]): string {
  const staying = among(left, known).length;
  const names = left.slice(0, MAX_NAMED).map(({ task, state }) => `${task.name} ${state}`);
  const more = left.length > MAX_NAMED ? ', ...' : '';
  const tasks = `${String(left.length)} ${left.length === 1 ? 'task' : 'tasks'} left`;
  return `node/${node}: ${tasks}${staying === 0 ? '' : `, ${String(staying)} of them cannot leave`}${names.length === 0 ? '' : ` (${names.join(', ')}${more})`}`;
}

async function stopTasks(shell: Shell, tasks: readonly TaskView[]): Promise<void> {
  const client = await shell.connect();
  for (const { task } of tasks) {
    await client.stopTask({ requestId: shell.newRequestId(), task: task.id });
    await say(shell, `task/${task.id} (${task.app}/${task.service}) stopped: it cannot leave`);
  }
}

/** What the drain cannot do, before it begins. Where nobody can say, that is said, and the drain begins all the same. */
async function tellLimits({ shell, nodes }: Drain): Promise<readonly StayingTask[]> {
  const forecast = await foresee(shell, nodes);
  const lines = 'problem' in forecast ? [`what the drain cannot do is not known: ${printable(forecast.problem)}`] : drainLimits(forecast.view, forecast.drain);
  if (lines.length > 0 && !shell.options.isQuiet) {
    await shell.terminal.writeError(lines.map(line => `${line}\n`).join(''));
  }
  return 'problem' in forecast ? [] : stayingTasks(forecast.view, forecast.drain);
}

/** While nobody can say, the drain waits, and says that. */
async function findStaying({ shell, nodes }: Drain, lines: ProgressLines): Promise<readonly StayingTask[]> {
  const forecast = await foresee(shell, nodes);
  if ('problem' in forecast) {
    await lines.draw([`what cannot leave is not known: ${forecast.problem}`]);
    return [];
  }
  return stayingTasks(forecast.view, forecast.drain);
}

/** @throws ClusterError where the nodes are not known, or the caller may not ask */
async function foresee(shell: Shell, nodes: readonly NodeId[]): Promise<{ readonly view: ClusterView; readonly drain: PlannedDrain } | { readonly problem: string }> {
  const client = await shell.connect();
  try {
    const { unplaced, actions, notes } = await client.plan({ apps: [], withoutNodes: nodes, addedNodes: [], isSaved: false });
    const [unfinished] = notes;
    return unfinished === undefined ? { view: await client.view({}), drain: { nodes, unplaced, actions } } : { problem: unfinished };
  } catch (error) {
    if (!(error instanceof ClusterError) || error.code === 'NOT_FOUND' || error.code === 'PERMISSION_DENIED') {
      throw error;
    }
    return { problem: error.message };
  }
}
