/** What must hold of one service: scale, placement, rollout, dependencies. */
import type { AppSpec } from './app.ts';
import { formatPlacementRule, parsePlacementRule } from './constraint.ts';
import { checkCompanions } from './companion-rules.ts';
import { checkContainer } from './container-rules.ts';
import type { Violation } from './errors.ts';
import { leastReplaceAfterMs, MIN_STOP_AFTER_MS, SAFE_MS } from './exclusive.ts';
import { isLabel } from './ids.ts';
import { checkKind } from './kind-rules.ts';
import { printable, quoted } from './printable.ts';
import { formatDuration } from './quantity.ts';
import { checkRange } from './range-rules.ts';
import type { DisconnectSpec, PlacementRule, ServiceSpec } from './service.ts';
import { checkUpdate } from './update-rules.ts';

const MAX_REPLICAS = 10_000;
const MAX_REPLACE_AFTER_MS = 365 * 86_400_000;
const MAX_PRIORITY = 1_000_000;
const LABEL_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,251}[A-Za-z0-9])?$/;
const MAX_LABEL_VALUE_LENGTH = 1024;

export function checkService(service: ServiceSpec, app: AppSpec): readonly Violation[] {
  const path = `services.${service.name}`;
  return [
    ...checkReplicas(service, path),
    ...checkContainer(service.container, app, path),
    ...checkCompanions(service, app, path),
    ...checkLabels(service, path),
    ...checkPlacement(service, `${path}.placement`),
    ...checkAffinities(service, app, `${path}.placement`),
    ...checkUpdate(service, `${path}.update`),
    ...checkDependencies(service, app, `${path}.depends_on`),
    ...checkDisconnect(service, `${path}.on_disconnect`),
    ...checkKind(service, path),
  ];
}

function checkReplicas(service: ServiceSpec, path: string): readonly Violation[] {
  if (service.kind === 'global') {
    return service.replicas === 0 ? [] : [{ path: `${path}.replicas`, message: 'a global service has no number of replicas' }];
  }
  return checkRange(service.replicas, `${path}.replicas`, 0, MAX_REPLICAS);
}

function checkLabels(service: ServiceSpec, servicePath: string): readonly Violation[] {
  const path = `${servicePath}.labels`;
  return service.labels.flatMap(({ name, value }) => {
    if (!LABEL_NAME.test(name)) {
      return [{ path, key: name, message: `invalid name ${quoted(name)}; a label's name is A-Z a-z 0-9 . _ / -` }];
    }
    const isValue = value.length <= MAX_LABEL_VALUE_LENGTH && printable(value) === value;
    return isValue ? [] : [{ path, key: name, message: `the value of ${quoted(name)} must be one line of at most ${String(MAX_LABEL_VALUE_LENGTH)} characters` }];
  });
}

function checkPlacement({ kind, placement }: ServiceSpec, path: string): readonly Violation[] {
  return [
    ...placement.require.flatMap((rule, index) => checkRule(rule, `${path}.require[${String(index)}]`)),
    ...placement.prefer.flatMap(({ rule, weight }, index) => [
      ...checkRule(rule, `${path}.prefer[${String(index)}].rule`),
      ...checkRange(weight, `${path}.prefer[${String(index)}].weight`, 1, 1000),
    ]),
    ...placement.spread.flatMap((label, index) => checkLabelName(label, `${path}.spread[${String(index)}]`)),
    ...placement.maxPer.flatMap(({ label, count }) => [
      ...checkLabelName(label, `${path}.max_per`, label),
      ...checkRange(count, `${path}.max_per.${label}`, 1, MAX_REPLICAS),
    ]),
    ...placement.tolerate.flatMap((taint, index) => checkLabelName(taint, `${path}.tolerate[${String(index)}]`)),
    ...checkRange(placement.priority, `${path}.priority`, -MAX_PRIORITY, MAX_PRIORITY),
    ...(placement.isGang && (kind === 'global' || kind === 'stateful')
      ? [{ path: `${path}.gang`, message: `a ${kind} service starts its tasks one by one; only service and job can be a gang` }] : []),
  ];
}

function checkAffinities({ name, placement }: ServiceSpec, app: AppSpec, path: string): readonly Violation[] {
  return (['affinity', 'avoid'] as const).flatMap(key => placement[key].flatMap((one, index) => {
    const at = `${path}.${key}[${String(index)}]`;
    const problem = findServiceProblem(one.service, name, app);
    return [
      ...(problem === undefined ? [] : [{ path: at, message: problem }]),
      ...checkLabelName(one.label, `${at}.label`),
      ...(one.weight === undefined ? [] : checkRange(one.weight, `${at}.weight`, 1, 1000)),
    ];
  }));
}

function findServiceProblem(service: string, own: string, app: AppSpec): string | undefined {
  const [name = '', ...more] = service.split('/').toReversed();
  if (more.length > 1 || ![name, ...more].every(isLabel)) {
    return `${quoted(service)} must be the NAME of a service of this App, or APP/NAME of one in the same Namespace`;
  }
  const isOfApp = more.length === 0 || more[0] === app.name;
  if (isOfApp && name === own) {
    return `${quoted(service)} is the service itself; use spread or max_per`;
  }
  return isOfApp && !app.services.some(other => other.name === name) ? `${quoted(service)} is no service of this App; one of another App is APP/NAME` : undefined;
}

/** A typed rule is good when it reads back from its text. */
function checkRule(rule: PlacementRule, path: string): readonly Violation[] {
  const parsed = parsePlacementRule(formatPlacementRule(rule));
  if (parsed.kind === 'error') {
    return [{ path, message: `cannot parse the rule: ${printable(parsed.message)}` }];
  }
  const isSame = parsed.rule.label === rule.label && parsed.rule.operator === rule.operator
    && parsed.rule.values.length === rule.values.length && parsed.rule.values.every((value, index) => value === rule.values[index]);
  return isSame ? [] : [{ path, message: 'cannot parse the rule: invalid characters in its values' }];
}

function checkLabelName(name: string, path: string, key?: string): readonly Violation[] {
  return LABEL_NAME.test(name) ? [] : [{ path, message: `${quoted(name)} is not a label name`, ...(key === undefined ? {} : { key }) }];
}

function checkDependencies(service: ServiceSpec, app: AppSpec, path: string): readonly Violation[] {
  return service.dependsOn.flatMap(dependency => {
    const target = app.services.find(other => other.name === dependency.service);
    const key = dependency.service;
    if (target === undefined) {
      return [{ path, key, message: `${quoted(key)} is no service of this App` }];
    }
    if (target === service) {
      return [{ path, key, message: `cycle: ${quoted(key)} depends on itself` }];
    }
    const mustEnd = dependency.condition === 'service_completed_successfully';
    return mustEnd && target.kind !== 'job' ? [{ path: `${path}.${key}.condition`, message: `${quoted(key)} never completes: it is not of kind job` }] : [];
  });
}

function checkDisconnect({ onDisconnect, kind, container }: ServiceSpec, path: string): readonly Violation[] {
  switch (onDisconnect.kind) {
    case 'hold': return [];
    case 'exclusive': return checkExclusive(onDisconnect, { kind, container }, path);
    case 'replace': return kind === 'stateful'
      ? [{ path: `${path}.replace_after`, message: 'a stateful service holds its place: never, or leave it out; or give a stop_after too, after which a cut-off node stops it' }]
      : checkRange(onDisconnect.afterMs, `${path}.replace_after`, 0, MAX_REPLACE_AFTER_MS);
  }
}

/** Its node has stopped it for sure before another is made. */
function checkExclusive(
  { stopAfterMs, replaceAfterMs }: Extract<DisconnectSpec, { readonly kind: 'exclusive' }>, { kind, container }: Pick<ServiceSpec, 'kind' | 'container'>, path: string,
): readonly Violation[] {
  if (kind !== 'service' && kind !== 'stateful') {
    return [{ path: `${path}.stop_after`, message: `only services of kind service and stateful stop themselves when they are cut off, not of kind ${kind}` }];
  }
  const leastMs = leastReplaceAfterMs({ stopAfterMs, container });
  const sum = `stop_after ${formatDuration(stopAfterMs)} + stop_grace_period ${formatDuration(container.stopGracePeriodMs)} + ${formatDuration(SAFE_MS)} to be safe`;
  return [
    ...checkRange(stopAfterMs, `${path}.stop_after`, MIN_STOP_AFTER_MS, 86_400_000),
    ...checkRange(replaceAfterMs, `${path}.replace_after`, 0, MAX_REPLACE_AFTER_MS),
    ...(replaceAfterMs < leastMs
      ? [{ path: `${path}.replace_after`, message: `must be at least ${formatDuration(leastMs)} (${sum}), got ${formatDuration(replaceAfterMs)}: before that two copies could run` }] : []),
  ];
}
