/** `logs TARGET...`: one task as it is, several with their names in front, in colours. */
import type { ClusterView, ServiceView, TaskView } from '#model/ports.ts';
import type { TaskTunnelRequest, TunnelSpec } from '#model/tunnel.ts';
import { ClusterError } from '#model/errors.ts';
import { runsOfCron } from '../format/crons.ts';
import { ControlEscaper } from '../format/control-escape.ts';
import { LinePrefixer } from '../format/line-prefix.ts';
import { listNamespace, readCount, readDurationFlag } from '../options.ts';
import type { Shell, Style } from '../ports.ts';
import { requireContainer, requireTarget } from '../target.ts';
import { inContainer } from './exec-flow.ts';
import { tunnelError } from './tunnel-flow.ts';
import { watchUntil } from './watch-flow.ts';

export interface LogFlags {
  readonly follow?: boolean;
  readonly tail?: string;
  readonly since?: string;
  readonly timestamps?: boolean;
  /** Of the run before the newest one. */
  readonly previous?: boolean;
  readonly container?: string;
  /** Tasks that ended, too. */
  readonly all?: boolean;
  /** Control characters go to the terminal as the task wrote them. */
  readonly raw?: boolean;
}

interface LogStream extends Omit<TaskTunnelRequest, 'task'> {
  readonly isRaw: boolean;
}

const COLOURS: readonly Style[] = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'red'];

export async function showLogs(shell: Shell, names: readonly string[], flags: LogFlags): Promise<void> {
  const spec = readSpec(shell, flags);
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const filter = namespace === undefined ? {} : { namespace };
  const first = await client.view(filter);
  const tasks = chooseTasks(first, names, flags);
  requireContainer(tasks, flags.container);
  const stream = { spec, ...inContainer(flags.container), isRaw: flags.raw === true };
  if (tasks.length === 0 && flags.follow !== true) {
    throw new ClusterError('NOT_FOUND', `no task of ${names.join(', ')} has logs; --all shows ended ones`);
  }
  const isPlain = tasks.length === 1 && (flags.follow !== true || tasks.every(({ task }) => task.kind === 'job') || names.every(name => requireTarget(name, first, ['service', 'task', 'app']).kind === 'task'));
  if (flags.follow !== true || isPlain) {
    for (const [index, task] of tasks.entries()) {
      await streamTask(shell, task, stream, prefixOf(shell, task, isPlain ? undefined : index));
    }
    return;
  }
  await tellFollowed(shell, tasks);
  await followAll(shell, filter, view => chooseTasks(view, names, flags), stream);
}

/** For a person who looks on: whose lines these are, and how to have fewer. */
async function tellFollowed(shell: Shell, tasks: readonly TaskView[]): Promise<void> {
  if (shell.terminal.isErrorTerminal && !shell.options.isQuiet) {
    const names = tasks.length === 0 ? 'tasks that are to come' : tasks.map(({ task }) => task.name).join(', ');
    await shell.terminal.writeError(`${shell.terminal.style('dim', `following ${names}; new ones join, ctrl-c ends; one alone: clusterctl logs -f TASK`)}\n`);
  }
}

/** Streams every task that there is and every one that comes, until the command is ended or each has ended. */
async function followAll(
  shell: Shell, filter: Parameters<typeof watchUntil>[1], choose: (view: ClusterView) => readonly TaskView[], stream: LogStream,
): Promise<void> {
  const streams = new Map<string, Promise<void>>();
  const failures: unknown[] = [];
  await watchUntil(shell, filter, view => {
    for (const task of choose(view)) {
      if (!streams.has(task.task.id)) {
        const index = streams.size;
        streams.set(task.task.id, streamTask(shell, task, stream, prefixOf(shell, task, index)).catch((error: unknown) => { failures.push(error); }));
      }
    }
    return failures.length > 0 ? true : undefined;
  });
  throw failures[0];
}

/** All that a task wrote until now, as it is. */
export async function streamLogs(shell: Shell, task: TaskView): Promise<void> {
  await streamTask(shell, task, { spec: { kind: 'logs', follow: false, timestamps: false, previous: false }, isRaw: false }, '');
}

async function streamTask(shell: Shell, { task }: TaskView, { isRaw, ...stream }: LogStream, prefix: string): Promise<void> {
  const client = await shell.connect();
  const tunnel = client.openTunnel({ task: task.id, ...stream }, shell.signal);
  const isSafe = isRaw || task.container.tty;
  const writers = {
    stdout: new LogWriter(prefix, isSafe || !shell.terminal.isOutputTerminal),
    stderr: new LogWriter(prefix, isSafe || !shell.terminal.isErrorTerminal),
  };
  try {
    for await (const frame of tunnel.frames) {
      if (frame.kind === 'error') {
        throw tunnelError(frame);
      }
      if (frame.kind === 'data') {
        const stream = frame.stream === 'stderr' ? 'stderr' : 'stdout';
        await writeTo(shell, stream, writers[stream].take(frame.bytes));
      }
    }
    await writeTo(shell, 'stdout', writers.stdout.end());
    await writeTo(shell, 'stderr', writers.stderr.end());
  } finally {
    tunnel.close();
  }
}

/** Bytes of one stream as they are written: with a name in front of each line, and control characters escaped, where wanted. */
class LogWriter {
  readonly #lines: LinePrefixer | undefined;
  readonly #escaper: ControlEscaper | undefined;

  constructor(prefix: string, isRaw: boolean) {
    this.#lines = prefix === '' ? undefined : new LinePrefixer(prefix);
    this.#escaper = isRaw ? undefined : new ControlEscaper();
  }

  take(bytes: Uint8Array): Uint8Array {
    const shown = this.#escaper?.take(bytes) ?? bytes;
    return this.#lines?.take(shown) ?? shown;
  }

  end(): Uint8Array {
    const rest = this.#escaper?.end() ?? new Uint8Array();
    return this.#lines === undefined ? rest : Buffer.concat([this.#lines.take(rest), this.#lines.end()]);
  }
}

async function writeTo(shell: Shell, stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void> {
  await (stream === 'stderr' ? shell.terminal.writeError(bytes) : shell.terminal.write(bytes));
}

function prefixOf(shell: Shell, { task }: TaskView, index: number | undefined): string {
  return index === undefined ? '' : shell.terminal.style(COLOURS[index % COLOURS.length] ?? 'cyan', `${task.name} | `);
}

/** Tasks that were started, by service and slot; a task that is named counts in any state, and so does one whose companions are asked for. */
function chooseTasks(view: ClusterView, names: readonly string[], { all: wantsAll = false, container }: LogFlags): readonly TaskView[] {
  const chosen = names.flatMap(name => {
    const found = requireTarget(name, view, ['service', 'task', 'app']);
    if (found.kind === 'task') {
      return [found.task];
    }
    const services = found.kind === 'service' ? loggedServices(found.service, view, wantsAll) : [];
    const tasks = view.tasks.filter(({ task }) => (found.kind === 'service' ? services.some(({ service }) => task.serviceId === service.id)
      : task.namespace === found.app.namespace && task.app === found.app.name));
    const started = tasks.filter(({ status }) => (status?.attempt ?? 0) > 0 || container !== undefined);
    const live = started.filter(({ state, task }) => wantsAll || task.kind === 'job' || !['complete', 'failed', 'lost'].includes(state));
    return live.toSorted((left, right) => (left.task.serviceId < right.task.serviceId ? -1 : left.task.slot - right.task.slot));
  });
  return [...new Map(chosen.map(task => [task.task.id, task])).values()];
}

/** A cron has no tasks of its own: meant is its newest run, or each that is kept. */
function loggedServices(service: ServiceView, view: ClusterView, wantsAll: boolean): readonly ServiceView[] {
  return service.service.spec.kind === 'cron' ? runsOfCron(service, view.services).slice(0, wantsAll ? undefined : 1) : [service];
}

/** A time, or how long ago. */
function readSince(text: string, nowMs: number): number {
  const atMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? nowMs - readDurationFlag('--since', text) : atMs;
}

function readSpec(shell: Shell, flags: LogFlags): TunnelSpec {
  const tail = flags.tail === undefined || flags.tail === 'all' ? undefined : readCount('--tail', flags.tail, 0, 1_000_000_000);
  return {
    kind: 'logs', follow: flags.follow ?? false, timestamps: flags.timestamps ?? false, previous: flags.previous ?? false,
    ...(tail === undefined ? {} : { tail }),
    ...(flags.since === undefined ? {} : { sinceMs: readSince(flags.since, shell.clock.nowMs()) }),
  };
}
