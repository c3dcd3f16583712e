/** `apply -f F...`: one transaction an App. */
import type { App } from '#model/app.ts';
import { ClusterError } from '#model/errors.ts';
import type { ApplyOutcome } from '#model/ports.ts';
import { ManifestError } from '../exit-code.ts';
import { parseManifests, readAppNames, readManifests } from '../manifest.ts';
import type { AppName } from '#model/app-schema.ts';
import type { ManifestApp, ManifestDocument } from '../manifest.ts';
import { loadContents, loadManifestFiles } from '../manifest-fs.ts';
import { DEFAULT_NAMESPACE, UsageError } from '../options.ts';
import type { ControlClient } from '#model/ports.ts';
import type { Shell } from '../ports.ts';
import { judgeProgress } from '../rollout-progress.ts';
import type { AwaitedApp } from '../rollout-progress.ts';
import { parseEnvironmentFile } from '../variables.ts';
import type { Variables } from '../variables.ts';
import { printPlain, say } from './print-flow.ts';
import { ProgressLines } from './progress-flow.ts';
import { awaitRouted } from './routed-flow.ts';
import { watchUntil } from './watch-flow.ts';

export interface ApplyFlags {
  readonly filename: readonly string[];
  readonly dryRun?: boolean;
  /** Id that `plan --save` printed. */
  readonly plan?: string;
  readonly prune?: boolean;
  /** Default: on a terminal. */
  readonly wait?: boolean;
  readonly detach?: boolean;
  readonly var?: readonly string[];
  readonly envFile?: readonly string[];
}

export async function applyManifests(shell: Shell, flags: ApplyFlags): Promise<void> {
  const apps = await loadApps(shell, flags);
  const client = await shell.connect();
  const strangers = flags.prune === true ? await findStrangers(shell, client, { apps, isDryRun: flags.dryRun === true }) : [];
  const outcomes: ApplyOutcome[] = [];
  for (const [index, one] of apps.entries()) {
    try {
      outcomes.push(await applyOne(shell, client, one, flags));
    } catch (error) {
      await sayWhatIsMissing(shell, apps.slice(index), outcomes.length);
      throw error;
    }
  }
  await pruneApps(shell, client, { strangers, isDryRun: flags.dryRun === true });
  if (shell.options.output === 'json' || shell.options.output === 'yaml') {
    const pruned = strangers.map(({ namespace, name }) => ({ namespace, app: name }));
    await printPlain(shell, { items: outcomes, ...(flags.prune === true ? { pruned } : {}) });
  }
  if (flags.dryRun !== true && (flags.wait ?? (shell.terminal.isErrorTerminal && flags.detach !== true))) {
    await waitForApps(shell, outcomes);
  }
}

export type ManifestFlags = Pick<ApplyFlags, 'filename' | 'var' | 'envFile'>;

/** Every App of the files. @throws ManifestError with every problem of every file */
export async function loadApps(shell: Shell, flags: ManifestFlags): Promise<readonly ManifestApp[]> {
  const parsed = await parseFlags(shell, flags);
  const contents = new Map<ManifestDocument, Awaited<ReturnType<typeof loadContents>>>();
  for (const document of parsed.documents) {
    contents.set(document, await loadContents(document, shell.environment));
  }
  const { apps, problems } = readManifests(parsed, shell.options.namespace ?? DEFAULT_NAMESPACE, document => contents.get(document) ?? new Map());
  const strangers = apps.filter(({ app }) => isElsewhere(shell, app))
    .map(({ app, document }) => document.locate({ path: 'metadata.namespace', message: `is ${app.namespace}, but -n says ${shell.options.namespace ?? ''}` }));
  if (problems.length + strangers.length > 0) {
    throw new ManifestError([...problems, ...strangers]);
  }
  return apps;
}

/** Names of the Apps that the files declare. @throws ManifestError where they cannot be told */
export async function loadAppNames(shell: Shell, flags: ManifestFlags): Promise<readonly AppName[]> {
  const { apps, problems } = readAppNames(await parseFlags(shell, flags), shell.options.namespace ?? DEFAULT_NAMESPACE);
  if (problems.length > 0) {
    throw new ManifestError(problems);
  }
  const stranger = apps.find(app => isElsewhere(shell, app));
  if (stranger !== undefined) {
    throw new UsageError(`app ${stranger.name}: its manifest says namespace ${stranger.namespace}, -n says ${shell.options.namespace ?? ''}; leave -n out`);
  }
  return apps;
}

async function parseFlags(shell: Shell, flags: ManifestFlags): Promise<ReturnType<typeof parseManifests>> {
  const files = await loadManifestFiles(flags.filename, () => shell.files.readInput());
  return parseManifests(files, await collectVariables(shell, flags));
}

function isElsewhere(shell: Shell, app: AppName): boolean {
  return shell.options.namespace !== undefined && app.namespace !== shell.options.namespace;
}

/** Draws the rollouts until every service is healthy, every job complete, and the nodes lead requests there. @throws ClusterError FAILED_PRECONDITION when one cannot become so */
export async function waitForApps(shell: Shell, apps: readonly AwaitedApp[]): Promise<void> {
  for (const awaited of apps) {
    const lines = new ProgressLines(shell);
    const end = await watchUntil(shell, { namespace: awaited.namespace, app: awaited.app }, async view => {
      const progress = judgeProgress(awaited, view);
      await lines.draw(progress.lines);
      return progress.kind === 'waiting' ? undefined : { ...progress, etcdRevision: view.etcdRevision };
    });
    if (end.kind === 'failed') {
      throw new ClusterError('FAILED_PRECONDITION', end.reason);
    }
    await awaitRouted(shell, end);
  }
}

async function collectVariables(shell: Shell, flags: Pick<ApplyFlags, 'var' | 'envFile'>): Promise<Variables> {
  const variables = new Map(shell.environment);
  for (const name of flags.envFile ?? []) {
    const parsed = parseEnvironmentFile(new TextDecoder().decode(await shell.files.read(name)));
    if (parsed.badLines.length > 0) {
      throw new UsageError(`--env-file ${name}:${String(parsed.badLines[0])}: write NAME=value`);
    }
    for (const [key, value] of parsed.variables) {
      variables.set(key, value);
    }
  }
  for (const pair of flags.var ?? []) {
    const equals = pair.indexOf('=');
    if (equals < 1) {
      throw new UsageError(`--var ${pair}: write NAME=value`);
    }
    variables.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return variables;
}

async function applyOne(shell: Shell, client: ControlClient, { app, document }: ManifestApp, flags: ApplyFlags): Promise<ApplyOutcome> {
  const isDryRun = flags.dryRun ?? false;
  try {
    const outcome = await client.apply({ requestId: shell.newRequestId(), app, isDryRun, ...(flags.plan === undefined ? {} : { planId: flags.plan }) });
    await say(shell, `app/${outcome.app} ${describeOutcome(outcome, isDryRun)}`);
    for (const warning of outcome.warnings) {
      await shell.terminal.writeError(`warning: ${warning}\n`);
    }
    return outcome;
  } catch (error) {
    if (error instanceof ClusterError && error.violations.length > 0) {
      throw new ManifestError(error.violations.map(violation => document.locate(violation)));
    }
    throw error;
  }
}

function describeOutcome(outcome: ApplyOutcome, isDryRun: boolean): string {
  if (!outcome.isChanged) {
    return `unchanged (${describeInForce(outcome)})`;
  }
  const changes = outcome.services.filter(({ change }) => change !== 'unchanged').map(({ name, change }) => `${name} ${change}`).join(', ');
  return `${isDryRun ? 'would be applied' : 'applied'} (revision ${String(outcome.revision)})${changes === '' ? '' : `: ${changes}`}`;
}

/** The App's newest Revision, unless all of its services are at earlier ones again. */
function describeInForce({ revision, services }: ApplyOutcome): string {
  const newest = Math.max(0, ...services.map(one => one.revision ?? revision));
  return newest === 0 || newest >= revision ? `revision ${String(revision)}` : `revision ${String(newest)} is in force`;
}

async function sayWhatIsMissing(shell: Shell, rest: readonly ManifestApp[], landed: number): Promise<void> {
  if (landed + rest.length > 1) {
    await shell.terminal.writeError(`not applied: ${rest.map(({ app }) => app.name).join(', ')} (each App lands whole or not at all)\n`);
  }
}

/** Apps of the files' namespaces that no file names. @throws UsageError before anything is applied, where they would be deleted without -y */
async function findStrangers(shell: Shell, client: ControlClient, { apps, isDryRun }: { readonly apps: readonly ManifestApp[]; readonly isDryRun: boolean }): Promise<readonly App[]> {
  const strangers: App[] = [];
  for (const namespace of new Set(apps.map(({ app }) => app.namespace))) {
    const view = await client.view({ namespace });
    strangers.push(...view.apps.filter(app => !app.isDeleting && !apps.some(({ app: kept }) => kept.namespace === app.namespace && kept.name === app.name)));
  }
  if (strangers.length > 0 && !isDryRun && !shell.options.isYes) {
    throw new UsageError(`--prune would delete ${strangers.map(app => `app/${app.name}`).join(', ')}; say so with -y`);
  }
  return strangers;
}

async function pruneApps(shell: Shell, client: ControlClient, { strangers, isDryRun }: { readonly strangers: readonly App[]; readonly isDryRun: boolean }): Promise<void> {
  for (const { namespace, name } of strangers) {
    if (!isDryRun) {
      await client.deleteApp({ requestId: shell.newRequestId(), namespace, app: name, withVolumes: false });
    }
    await say(shell, `app/${name} ${isDryRun ? 'would be deleted' : 'deleted'}`);
  }
}
