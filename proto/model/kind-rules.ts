/** What must hold of a job, a cron and autoscaling. */
import { scheduleProblem, timezoneProblem } from './cron-schedule.ts';
import type { Violation } from './errors.ts';
import { quoted } from './printable.ts';
import { checkRange } from './range-rules.ts';
import type { AutoscaleSpec, ServiceSpec } from './service.ts';

const MAX_REPLICAS = 10_000;
const MAX_JOB_RETRIES = 1_000;
const MAX_KEPT_RUNS = 1_000;
const MAX_TIME_MS = 365 * 86_400_000;
const MAX_PERCENT = 10_000;
const MAX_QUERY_LENGTH = 4_096;
/** A run is a service: its name is the cron's and up to 13 characters, in the 63 of a label. */
const MAX_CRON_NAME_LENGTH = 50;

export function checkKind(service: ServiceSpec, path: string): readonly Violation[] {
  return [...checkJob(service, path), ...checkCron(service, path), ...checkAutoscale(service, path)];
}

function checkJob({ kind, job, container }: ServiceSpec, path: string): readonly Violation[] {
  if (kind !== 'job' && kind !== 'cron') {
    return job === undefined ? [] : [{ path: `${path}.job`, message: 'only a service of kind job or cron has this' }];
  }
  return job === undefined ? [{ path: `${path}.job`, message: 'required' }] : [
    ...(container.restart.mode === 'always' ? [{ path: `${path}.restart.policy`, message: 'a job ends; use on-failure or never' }] : []),
    ...checkRange(job.retries, `${path}.job.retries`, 0, MAX_JOB_RETRIES),
    ...((job.timeoutMs ?? 1) > 0 ? [] : [{ path: `${path}.job.timeout`, message: 'must be more than 0' }]),
    ...(job.parallelism === undefined ? [] : checkRange(job.parallelism, `${path}.job.parallelism`, 1, MAX_REPLICAS)),
    ...(job.keepMs === undefined ? [] : checkRange(job.keepMs, `${path}.job.keep`, 0, MAX_TIME_MS)),
  ];
}

function checkCron({ kind, name, cron }: ServiceSpec, path: string): readonly Violation[] {
  if (kind !== 'cron') {
    return cron === undefined ? [] : [{ path: `${path}.schedule`, message: 'only a service of kind cron has this' }];
  }
  if (cron === undefined) {
    return [{ path: `${path}.schedule`, message: 'required' }];
  }
  const schedule = cron.schedule === '' ? 'required' : withValue(cron.schedule, scheduleProblem(cron.schedule));
  const timezone = withValue(cron.timezone, timezoneProblem(cron.timezone));
  return [
    ...(name.length > MAX_CRON_NAME_LENGTH ? [{ path, message: `the name of a cron has at most ${String(MAX_CRON_NAME_LENGTH)} characters: those of its runs begin with it` }] : []),
    ...(schedule === undefined ? [] : [{ path: `${path}.schedule`, message: schedule }]),
    ...(timezone === undefined ? [] : [{ path: `${path}.timezone`, message: timezone }]),
    ...(cron.startingDeadlineMs === undefined ? [] : checkRange(cron.startingDeadlineMs, `${path}.starting_deadline`, 1_000, MAX_TIME_MS)),
    ...checkRange(cron.keptSucceeded, `${path}.history.succeeded`, 0, MAX_KEPT_RUNS),
    ...checkRange(cron.keptFailed, `${path}.history.failed`, 0, MAX_KEPT_RUNS),
  ];
}

function withValue(value: string, problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : `${quoted(value)} ${problem}`;
}

function checkAutoscale({ kind, autoscale, replicas }: ServiceSpec, servicePath: string): readonly Violation[] {
  const path = `${servicePath}.autoscale`;
  if (autoscale === undefined) {
    return [];
  }
  if (kind !== 'service' && kind !== 'stateful') {
    return [{ path, message: `a service of kind ${kind} has no replicas to scale` }];
  }
  const { min, max } = autoscale;
  return [
    ...checkRange(min, `${path}.min`, 0, MAX_REPLICAS),
    ...(min === 0 && autoscale.metric === undefined ? [{ path: `${path}.min`, message: 'must be 1 or more without a metric: what runs nowhere uses nothing that would bring it back' }] : []),
    ...checkRange(max, `${path}.max`, Math.max(1, min), MAX_REPLICAS),
    ...(replicas < min || replicas > max ? [{ path: `${servicePath}.replicas`, message: `is ${String(replicas)}, outside of autoscale's ${String(min)}..${String(max)}; leave it out` }] : []),
    ...checkTargets(autoscale, path),
    ...checkRange(autoscale.stabilizationMs, `${path}.stabilization`, 0, 86_400_000),
  ];
}

function checkTargets({ cpuPercent, memoryPercent, metric }: AutoscaleSpec, path: string): readonly Violation[] {
  if (cpuPercent === undefined && memoryPercent === undefined && metric === undefined) {
    return [{ path, message: 'needs one of cpu, memory and metric' }];
  }
  const isQuery = metric === undefined || (metric.query.trim() !== '' && metric.query.length <= MAX_QUERY_LENGTH);
  const isTarget = metric === undefined || (Number.isFinite(metric.target) && metric.target > 0);
  return [
    ...(cpuPercent === undefined ? [] : checkRange(cpuPercent, `${path}.cpu`, 1, MAX_PERCENT)),
    ...(memoryPercent === undefined ? [] : checkRange(memoryPercent, `${path}.memory`, 1, MAX_PERCENT)),
    ...(isQuery ? [] : [{ path: `${path}.metric.query`, message: `must be a PromQL query of at most ${String(MAX_QUERY_LENGTH)} characters` }]),
    ...(isTarget ? [] : [{ path: `${path}.metric.target`, message: 'must be more than 0' }]),
  ];
}
