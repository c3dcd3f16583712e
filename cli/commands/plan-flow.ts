/** `plan` and `diff`: what an apply, or other nodes, would do. */
import type { ClusterPlan } from '#model/cluster-plan.ts';
import { ClusterError } from '#model/errors.ts';
import { parseNodeId } from '#model/ids.ts';
import { parseAddedNode } from '../added-node.ts';
import { EXIT, ManifestError, PlanError, ProcessExit } from '../exit-code.ts';
import { formatDiff, formatPlan, hasChanges, planItem } from '../format/plan.ts';
import type { PlannedApps } from '../format/plan.ts';
import type { ManifestApp } from '../manifest.ts';
import { UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { loadApps } from './apply-flow.ts';
import type { ApplyFlags } from './apply-flow.ts';
import { printPlain } from './print-flow.ts';

export interface PlanFlags extends Pick<ApplyFlags, 'var' | 'envFile'> {
  readonly filename?: readonly string[];
  readonly save?: boolean;
  readonly withoutNode?: readonly string[];
  readonly addNode?: readonly string[];
}

/** @throws ProcessExit 1 when something would change, PlanError (exit code 2) when it cannot be planned */
export async function planManifests(shell: Shell, flags: PlanFlags, kind: 'plan' | 'diff'): Promise<void> {
  const { plan, apps } = await askPlan(shell, flags);
  if (shell.options.output === 'json' || shell.options.output === 'yaml') {
    await printPlain(shell, planItem(plan));
  } else if (shell.options.isQuiet) {
    await shell.terminal.write(plan.planId === undefined ? '' : `${plan.planId}\n`);
  } else {
    await shell.terminal.write(kind === 'plan' ? formatPlan(plan, apps) : formatDiff(plan, apps));
  }
  if (hasChanges(plan)) {
    throw new ProcessExit(EXIT.failed);
  }
}

/** With the Apps of the manifests, where there are any. */
async function askPlan(shell: Shell, flags: PlanFlags): Promise<{ readonly plan: ClusterPlan; readonly apps?: PlannedApps }> {
  const withoutNodes = (flags.withoutNode ?? []).map(parseNodeId);
  const addedNodes = (flags.addNode ?? []).map(parseAddedNode);
  if (flags.filename === undefined && withoutNodes.length + addedNodes.length === 0) {
    throw new UsageError('name manifests with -f, or nodes with --without-node or --add-node');
  }
  try {
    const apps = flags.filename === undefined ? [] : await loadApps(shell, { ...flags, filename: flags.filename });
    const client = await shell.connect();
    const plan = await locating(apps, () => client.plan({ apps: apps.map(({ app }) => app), withoutNodes, addedNodes, isSaved: flags.save ?? false }));
    return { plan, ...(apps.length === 0 ? {} : { apps: new Set(apps.map(({ app }) => `${app.namespace}/${app.name}`)) }) };
  } catch (error) {
    if (error instanceof UsageError) {
      throw error;
    }
    throw new PlanError(error);
  }
}

/** Violations come back as `apps[1].services...`: each is found in its own document. */
async function locating(apps: readonly ManifestApp[], ask: () => Promise<ClusterPlan>): Promise<ClusterPlan> {
  try {
    return await ask();
  } catch (error) {
    const violations = error instanceof ClusterError ? error.violations : [];
    const problems = violations.flatMap(violation => {
      const [, index, path] = /^apps\[(\d+)\]\.(.*)$/s.exec(violation.path) ?? [];
      const document = index === undefined ? undefined : apps[Number(index)]?.document;
      return document === undefined || path === undefined ? [] : [document.locate({ ...violation, path })];
    });
    throw problems.length === 0 ? error : new ManifestError(problems);
  }
}
