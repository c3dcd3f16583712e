/** What must hold of a job, a cron and of autoscaling. */
import { scheduleProblem, timezoneProblem } from './cron-schedule.ts';
import type { Violation } from './errors.ts';
import { quoted } from './printable.ts';
import { checkRange } from './range-rules.ts';
import type { AutoscaleSpec, ServiceSpec } from './service.ts';

const MAX_REPLICAS = 10_000;
const MAX_JOB_RETRIES = 1_000;
const MAX_KEPT_RUNS = 1_000;
const MAX_PERCENT = 1_000;
const MAX_QUERY_LENGTH = 4_096;
/** Source: Kubernetes, HorizontalPodAutoscaler v2, `stabilizationWindowSeconds` */
const MAX_STABILIZATION_MS = 3_600_000;
const MAX_TIME_MS = 365 * 86_400_000;
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

function checkAutoscale({ kind, replicas, autoscale, container }: ServiceSpec, path: string): readonly Violation[] {
  if (autoscale === undefined) {
    return [];
  }
  const at = `${path}.autoscale`;
  if (kind !== 'service' && kind !== 'stateful') {
    return [{ path: at, message: `only a service of kind service or stateful is scaled; this one is of kind ${kind}` }];
  }
  const { min, max, cpuPercent, memoryPercent, metric, stabilizationMs, upStabilizationMs } = autoscale;
  const measures = [cpuPercent, memoryPercent, metric].filter(one => one !== undefined);
  return [
    ...checkRange(min, `${at}.min`, 0, MAX_REPLICAS),
    ...(min === 0 && metric === undefined ? [{ path: `${at}.min`, message: 'must be at least 1 without a metric: what runs nowhere uses no cpu and memory that would bring it back' }] : []),
    ...checkRange(max, `${at}.max`, Math.max(1, min), MAX_REPLICAS),
    ...(min <= max && (replicas < min || replicas > max) ? [{ path: `${path}.replicas`, message: `must be ${String(min)} to ${String(max)}, as autoscale says; it is what the service begins with, and min where it is left out` }] : []),
    ...(measures.length === 0 ? [{ path: at, message: 'says nothing to scale by; give it cpu, memory or a metric' }] : []),
    ...checkShare(cpuPercent, `${at}.cpu`, { requested: container.requests.milliCpu, request: 'resources.requests.cpus' }),
    ...checkShare(memoryPercent, `${at}.memory`, { requested: container.requests.memoryBytes, request: 'resources.requests.memory' }),
    ...checkMetric(metric, `${at}.metric`),
    ...checkRange(stabilizationMs, `${at}.stabilization`, 0, MAX_STABILIZATION_MS),
    ...checkRange(upStabilizationMs, `${at}.stabilization.up`, 0, MAX_STABILIZATION_MS),
  ];
}

function checkShare(percent: number | undefined, path: string, { requested, request }: { readonly requested: number; readonly request: string }): readonly Violation[] {
  if (percent === undefined) {
    return [];
  }
  return [
    ...checkRange(percent, path, 1, MAX_PERCENT),
    ...(requested > 0 ? [] : [{ path, message: `is a share of ${request}, which is 0; ask for some` }]),
  ];
}

function checkMetric(metric: AutoscaleSpec['metric'], path: string): readonly Violation[] {
  if (metric === undefined) {
    return [];
  }
  const { query, target } = metric;
  return [
    ...(query.length <= MAX_QUERY_LENGTH ? [] : [{ path: `${path}.query`, message: `has ${String(query.length)} characters, at most ${String(MAX_QUERY_LENGTH)} are allowed; record it by a rule in Prometheus` }]),
    ...(query.trim() === '' ? [{ path: `${path}.query`, message: 'required' }] : []),
    ...(Number.isFinite(target) && target > 0 ? [] : [{ path: `${path}.target`, message: `must be more than 0, got ${String(target)}` }]),
  ];
}
