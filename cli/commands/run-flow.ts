/** `run IMAGE [CMD]`: one container anywhere on the cluster. */
import { ClusterError } from '#model/errors.ts';
import type { TaskView } from '#model/ports.ts';
import { isFinished } from '#model/task.ts';
import { ProcessExit } from '../exit-code.ts';
import { DEFAULT_NAMESPACE } from '../options.ts';
import type { Shell } from '../ports.ts';
import { buildRunApp } from '../run-app.ts';
import type { RunWish } from '../run-app.ts';
import { attach, readStdio, readVariable } from './exec-flow.ts';
import { ProgressLines } from './progress-flow.ts';
import { watchUntil } from './watch-flow.ts';

export interface RunFlags {
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly rm?: boolean;
  readonly detach?: boolean;
  readonly init?: boolean;
  readonly name?: string;
  readonly env?: readonly string[];
  readonly publish?: readonly string[];
  readonly volume?: readonly string[];
  readonly node?: string;
  readonly cpus?: string;
  readonly memory?: string;
  readonly user?: string;
  readonly workdir?: string;
  readonly entrypoint?: string;
  readonly hostname?: string;
}

/** How long a `run` App stays after its end. */
const KEEP_MS = 3_600_000;

/** @throws ProcessExit with the container's own code */
export async function runContainer(shell: Shell, image: string, command: readonly string[], flags: RunFlags): Promise<never> {
  if (flags.detach !== true) {
    readStdio(shell, flags);
  }
  const wish = readWish(shell, image, command, flags);
  const built = buildRunApp(wish);
  if (built.kind === 'violations') {
    throw new ClusterError('INVALID_ARGUMENT', 'the container cannot be run so', { violations: built.violations });
  }
  const client = await shell.connect();
  await client.apply({ requestId: shell.newRequestId(), app: built.app, isDryRun: false, expireAfterEndMs: KEEP_MS });
  if (flags.detach === true) {
    await shell.terminal.write(`${wish.name}\n`);
    throw new ProcessExit(0);
  }
  try {
    throw new ProcessExit(await followToEnd(shell, wish, flags.interactive ?? false));
  } finally {
    if (flags.rm === true) {
      await client.deleteApp({ requestId: shell.newRequestId(), namespace: wish.namespace, app: wish.name });
    }
  }
}

async function followToEnd(shell: Shell, wish: RunWish, wantsStdin: boolean): Promise<number> {
  const lines = new ProgressLines(shell);
  const startedAtMs = shell.clock.monotonicMs();
  const started = await watchUntil(shell, { namespace: wish.namespace, app: wish.name }, async view => {
    const [task] = view.tasks;
    const [pending] = view.pending;
    if (task !== undefined && (task.state === 'running' || isFinished(task.status?.phase ?? 'pending'))) {
      return task;
    }
    if (shell.clock.monotonicMs() - startedAtMs > 1_000) {
      await lines.draw([`${wish.name}: ${task === undefined ? pending?.reason ?? 'waiting for a node' : describeWait(task)}`]);
    }
    return undefined;
  });
  if (started.status?.address === undefined && isFinished(started.status?.phase ?? 'pending') && started.status?.attempt === 0) {
    throw new ClusterError('FAILED_PRECONDITION', `${wish.name}: ${describeWait(started)}`);
  }
  return await attach(shell, started, wantsStdin);
}

function describeWait({ state, status }: TaskView): string {
  const reason = [status?.reason ?? '', status?.message ?? ''].filter(text => text !== '').join(': ');
  return reason === '' ? state : `${state} (${reason})`;
}

function readWish(shell: Shell, image: string, command: readonly string[], flags: RunFlags): RunWish {
  return {
    namespace: shell.options.namespace ?? DEFAULT_NAMESPACE,
    name: flags.name ?? `run-${shell.newRequestId().replaceAll('-', '').slice(0, 5)}`,
    image,
    command: command[0] === '--' ? command.slice(1) : command,
    tty: flags.tty ?? false,
    stdin: flags.interactive ?? false,
    init: flags.init ?? false,
    environment: (flags.env ?? []).map(pair => readVariable(pair, shell.environment)),
    ports: flags.publish ?? [],
    volumes: flags.volume ?? [],
    ...definedOnly({
      node: flags.node, cpus: flags.cpus, memory: flags.memory, user: flags.user, workingDir: flags.workdir, entrypoint: flags.entrypoint, hostname: flags.hostname,
    }),
  };
}

function definedOnly<Key extends string>(fields: Readonly<Record<Key, string | undefined>>): Readonly<Partial<Record<Key, string>>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Readonly<Partial<Record<Key, string>>>;
}
