/** `token create`, `version`, `wait --for`. */
import { ClusterError } from '#model/errors.ts';
import type { ControlClient, NodeView, ServiceView, TaskView } from '#model/ports.ts';
import { quoted } from '#model/printable.ts';
import { formatTime } from '../format/age.ts';
import { taskItem } from '../format/items.ts';
import { listNamespace, readDurationFlag, UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { judgeProgress } from '../rollout-progress.ts';
import { describeFound, findTargets, parseTarget, requireTarget } from '../target.ts';
import { printPlain, say } from './print-flow.ts';
import { awaitRouted } from './routed-flow.ts';
import { watchUntil } from './watch-flow.ts';

const MAX_TOKEN_MS = 3_600_000;

export async function createToken(shell: Shell, flags: { readonly ttl?: string; readonly role?: string }): Promise<void> {
  const ttlMs = readDurationFlag('--ttl', flags.ttl ?? '1h');
  if (ttlMs < 1_000 || ttlMs > MAX_TOKEN_MS) {
    throw new UsageError('--ttl must be 1s..1h');
  }
  if ((flags.role ?? 'node') !== 'node') {
    throw new UsageError('--role must be node');
  }
  const client = await shell.connect();
  const { token, expiresAtMs } = await client.createToken({ requestId: shell.newRequestId(), ttlMs, role: 'node' });
  if (shell.options.output === 'json' || shell.options.output === 'yaml') {
    await printPlain(shell, { token, expiresAt: formatTime(expiresAtMs) });
    return;
  }
  await shell.terminal.write(`${token}\n`);
}

export async function showVersion(shell: Shell, version: string, flags: { readonly client?: boolean }): Promise<void> {
  const client = { name: 'gantry', version };
  const isPlain = shell.options.output === 'json' || shell.options.output === 'yaml';
  if (!isPlain) {
    await shell.terminal.write(`clusterctl (Gantry) ${version}\n`);
  }
  if (flags.client === true) {
    await (isPlain ? printPlain(shell, { client }) : undefined);
    return;
  }
  const cluster = await (await shell.connect()).clusterStatus();
  await (isPlain ? printPlain(shell, { client, cluster }) : shell.terminal.write(`cluster ${cluster.version}, ${leaderText(cluster)}\n`));
}

function leaderText({ leader, controllers }: Awaited<ReturnType<ControlClient['clusterStatus']>>): string {
  const others = controllers.map(({ id }) => id).filter(id => id !== leader);
  return `led by ${leader ?? 'none now'}${others.length === 0 ? '' : `, beside ${others.join(', ')}`}`;
}

const CONDITIONS = ['healthy', 'complete', 'running', 'deleted'] as const;
type Condition = (typeof CONDITIONS)[number];
/** Words of kubectl for the same. */
const CONDITIONS_ELSEWHERE: ReadonlyMap<string, Condition> = new Map([['ready', 'healthy'], ['available', 'healthy'], ['delete', 'deleted']]);

/** `healthy`, `condition=healthy` or `condition=Ready=true`. @throws UsageError */
function readCondition(text: string): Condition {
  const word = /^(?:condition=)?([a-z]+)(?:=true)?$/i.exec(text)?.[1]?.toLowerCase() ?? '';
  const condition = CONDITIONS.find(one => one === word) ?? CONDITIONS_ELSEWHERE.get(word);
  if (condition === undefined) {
    throw new UsageError(`--for ${quoted(text)} is none of ${CONDITIONS.join(', ')}`);
  }
  return condition;
}

function isTaskAt(task: TaskView, condition: Condition): boolean {
  const { state, health } = taskItem(task);
  return condition === 'healthy' ? state === 'running' && (health === 'healthy' || health === 'none') : state === condition;
}

/** @throws UsageError for a condition that no node has */
function isNodeReady({ node }: NodeView, text: string, condition: Condition): boolean {
  if (condition !== 'healthy') {
    throw new UsageError(`--for ${quoted(text)}: node ${node.id} is no workload; wait for ready or deleted`);
  }
  return node.condition === 'ready';
}

/** `--for healthy|deleted|complete|running|state=...` */
export async function waitFor(shell: Shell, name: string, text: string): Promise<void> {
  const namespace = listNamespace(shell.options);
  const filter = namespace === undefined ? {} : { namespace };
  const condition = readCondition(text);
  if (condition === 'deleted') {
    await watchUntil(shell, filter, view => (findTargets(parseTarget(name), view).length === 0 ? true : undefined));
    await say(shell, `${name} is gone`);
    return;
  }
  // A rollback that happens during the wait is a failure, an earlier one is not.
  let asked: readonly ServiceView[] | undefined;
  const end = await watchUntil(shell, filter, view => {
    const found = requireTarget(name, view, ['service', 'task', 'app', 'node']);
    if (found.kind === 'node') {
      return isNodeReady(found.node, text, condition) ? { label: describeFound(found), etcdRevision: view.etcdRevision } : undefined;
    }
    if (found.kind === 'task') {
      return isTaskAt(found.task, condition) ? { label: describeFound(found), etcdRevision: view.etcdRevision } : undefined;
    }
    const [scope, app] = found.kind === 'app' ? [view, found.app.name] as const
      : [{ ...view, services: [found.service] }, found.service.service.app] as const;
    const namespace = found.kind === 'app' ? found.app.namespace : found.service.service.namespace;
    asked ??= scope.services.filter(({ service }) => service.namespace === namespace && service.app === app);
    const progress = judgeProgress({ namespace, app, revision: 0, services: asked.map(({ service }) => service) }, scope);
    if (progress.kind === 'failed') {
      throw new ClusterError('FAILED_PRECONDITION', progress.reason);
    }
    return progress.kind === 'done' ? { label: describeFound(found), etcdRevision: view.etcdRevision } : undefined;
  });
  if (condition === 'healthy' && !end.label.startsWith('node/')) {
    await awaitRouted(shell, end);
  }
  await say(shell, `${end.label} is ${condition}`);
}
