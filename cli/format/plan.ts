/** A plan, a diff and a why for people and for scripts. */
import type { ClusterPlan, Fix, NodePicture, PlannedTask, RuleReason, UnplacedService, WhyAnswer } from '#model/cluster-plan.ts';
import { splitServiceId } from '#model/ids.ts';
import { printable } from '#model/printable.ts';
import { formatCpu, formatMemory } from '#model/quantity.ts';
import type { Item } from './items.ts';
import { formatTable } from './table.ts';
import { unitChange } from './unit-fields.ts';

/** Nodes whose picture does not change are shown up to this many. */
const MAX_IDLE_NODES = 20;

/** True when something would be done. */
export function hasChanges({ actions, changes }: ClusterPlan): boolean {
  return changes.length > 0 || actions.some(action => !isKept(action));
}

export function planItem(plan: ClusterPlan): Item {
  return {
    baseRevision: plan.baseRevision, actions: plan.actions.map(actionItem), unplaced: plan.unplaced.map(unplacedItem),
    changes: plan.changes.map(({ service, path, before, after }) => ({ ...serviceFields(service), path, before: before ?? null, after: after ?? null })),
    nodes: plan.nodes.map(({ node, capacity, before, after }) => ({ name: node, capacity, before, after })),
    notes: plan.notes, planId: plan.planId ?? null,
  };
}

function actionItem({ kind, service, slot, task, node, fromNode, reason }: PlannedTask): Item {
  return { kind, ...serviceFields(service), slot, task: task ?? null, node, fromNode: fromNode ?? null, reason };
}

function unplacedItem({ service, count, reasons, fix }: UnplacedService): Item {
  return { ...serviceFields(service), count, reasons: reasons.map(reasonItem), fix: fixItem(fix) };
}

function serviceFields(service: PlannedTask['service']): Item {
  const { namespace, app, service: name } = splitServiceId(service);
  return { namespace, app, service: name };
}

export function whyItem({ target, state, reasons, fix }: WhyAnswer): Item {
  return { target, state, reasons: reasons.map(reasonItem), fix: fixItem(fix) };
}

function reasonItem({ rule, nodes, have, need, sentence }: RuleReason): Item {
  return { rule, nodes, have, need, sentence };
}

function fixItem(fix: Fix | undefined): Item | null {
  return fix === undefined ? null : { sentence: fix.sentence, edit: fix.edit, command: fix.command ?? null };
}

/** `namespace/app` of each App that a plan was asked for. */
export type PlannedApps = ReadonlySet<string>;

const OTHERS_HEAD = 'of other Apps, which these manifests do not name';

/** Tasks first, then what fits nowhere, then the nodes before and after, then one line that counts; with `apps` theirs alone, and below what else would be done. */
export function formatPlan(plan: ClusterPlan, apps?: PlannedApps): string {
  const { own, others } = divide(plan, apps);
  return [
    formatTasks(own, own.actions.filter(isKept)),
    plan.notes.map(note => printable(`note: ${note}`)).map(line => `${line}\n`).join(''),
    formatNodes(plan.nodes),
    `${summary(own)}\n`,
    isIdle(others) ? '' : `\n${OTHERS_HEAD}\n${formatTasks(others, [])}${summary(others)}\n`,
    plan.planId === undefined ? '' : `saved for an hour: clusterctl apply -f ... --plan ${plan.planId}\n`,
  ].join('');
}

/** @param kept  the tasks that stay as they are, as far as they are shown */
function formatTasks({ actions, unplaced }: ClusterPlan, kept: readonly PlannedTask[]): string {
  const rows = [...actions.filter(action => !isKept(action)), ...kept].map(actionRow);
  return `${rows.length === 0 ? '' : `${formatTable({ head: ['ACTION', 'SERVICE', 'SLOT', 'TASK', 'NODE', 'REASON'], rows })}\n`}${unplaced.map(formatUnplaced).join('')}`;
}

function isKept({ kind }: PlannedTask): boolean {
  return kind === 'keep';
}

function actionRow(action: PlannedTask): readonly string[] {
  return [action.kind, shortName(action.service), String(action.slot), action.task ?? '', placeOf(action), isKept(action) ? '' : action.reason];
}

/** What is of `apps`, and what is not; without them all is. */
function divide(plan: ClusterPlan, apps: PlannedApps | undefined): { readonly own: ClusterPlan; readonly others: ClusterPlan } {
  const isOwn = ({ service }: { readonly service: PlannedTask['service'] }): boolean => {
    const { namespace, app } = splitServiceId(service);
    return apps?.has(`${namespace}/${app}`) ?? true;
  };
  const part = (wantsOwn: boolean): ClusterPlan => {
    const belongs = (one: { readonly service: PlannedTask['service'] }): boolean => isOwn(one) === wantsOwn;
    return { ...plan, actions: plan.actions.filter(belongs), unplaced: plan.unplaced.filter(belongs), changes: plan.changes.filter(belongs) };
  };
  return { own: part(true), others: part(false) };
}

function isIdle(plan: ClusterPlan): boolean {
  return !hasChanges(plan) && plan.unplaced.length === 0;
}

function placeOf({ node, fromNode }: PlannedTask): string {
  return fromNode === undefined || fromNode === node ? node : `${fromNode} -> ${node}`;
}

function shortName(service: PlannedTask['service']): string {
  const { namespace, app, service: name } = splitServiceId(service);
  return namespace === 'default' ? `${app}/${name}` : `${namespace}/${app}/${name}`;
}

function formatUnplaced({ service, count, reasons, fix }: UnplacedService): string {
  const lines = reasons.map(reason => `  - ${reason.sentence}`);
  return [`${shortName(service)}: ${String(count)} ${count === 1 ? 'task fits' : 'tasks fit'} nowhere`, ...lines, ...fixLines(fix)].map(line => `${printable(line)}\n`).join('');
}

function fixLines(fix: Fix | undefined): readonly string[] {
  return fix === undefined ? [] : [`  fix: ${fix.sentence}`, ...(fix.command === undefined ? [] : [`  run: ${fix.command}`])];
}

function formatNodes(nodes: readonly NodePicture[]): string {
  const isSame = ({ before, after }: NodePicture): boolean => before.milliCpu === after.milliCpu && before.memoryBytes === after.memoryBytes;
  const shown = nodes.length <= MAX_IDLE_NODES ? nodes : nodes.filter(node => !isSame(node));
  const rows = shown.map(({ node, capacity, before, after }) => [
    node, `${formatCpu(before.milliCpu)} -> ${formatCpu(after.milliCpu)} of ${formatCpu(capacity.milliCpu)}`,
    `${formatMemory(before.memoryBytes)} -> ${formatMemory(after.memoryBytes)} of ${formatMemory(capacity.memoryBytes)}`,
  ]);
  return rows.length === 0 ? '' : `${formatTable({ head: ['NODE', 'CPU REQUESTED', 'MEMORY REQUESTED'], rows })}\n`;
}

function summary(plan: ClusterPlan): string {
  const count = (kind: PlannedTask['kind']): number => plan.actions.filter(action => action.kind === kind).length;
  const unplaced = plan.unplaced.reduce((sum, one) => sum + one.count, 0);
  const parts = [`${String(count('start'))} to start`, `${String(count('stop'))} to stop`, `${String(count('move'))} to move`, `${String(count('replace'))} to replace`, `${String(count('keep'))} kept`];
  return hasChanges(plan) || unplaced > 0 ? `${parts.join(', ')}${unplaced > 0 ? `, ${String(unplaced)} unplaced` : ''}` : 'nothing to do';
}

/** Fields that an apply would change, as `path: before -> after`, and a line that counts; what becomes of other Apps is a line of its own. */
export function formatDiff(plan: ClusterPlan, apps?: PlannedApps): string {
  const { own, others } = divide(plan, apps);
  const rest = isIdle(others) ? '' : `${OTHERS_HEAD}: ${summary(others)}; clusterctl plan shows it\n`;
  return `${formatChanges(own)}${printable(hasChanges(own) ? summary(own) : 'nothing to do')}\n${formatChanges(others)}${rest}`;
}

/** The fields alone. */
export function formatChanges(plan: ClusterPlan): string {
  const lines = [...Map.groupBy(plan.changes, change => change.service)].flatMap(([service, changes]) => [
    shortName(service),
    ...changes.map(({ path, before, after }) => {
      const shown = unitChange(path, [before, after].filter(text => text !== undefined));
      const sign = before === undefined ? '+' : after === undefined ? '-' : '~';
      return `  ${sign} ${path === '' ? '' : `${shown.path}: `}${shown.values.join(' -> ')}`;
    }),
  ]);
  return lines.map(line => `${printable(line)}\n`).join('');
}

export function formatWhy({ target, state, reasons, fix }: WhyAnswer): string {
  return [`${target} is ${state}`, ...reasons.map(reason => `  - ${reason.sentence}`), ...fixLines(fix)].map(line => `${printable(line)}\n`).join('');
}
