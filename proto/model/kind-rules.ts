/** What must hold of a job and a cron; autoscaling is refused. */
import { scheduleProblem, timezoneProblem } from './cron-schedule.ts';
import type { Violation } from './errors.ts';
import { quoted } from './printable.ts';
import { checkRange } from './range-rules.ts';
import type { ServiceSpec } from './service.ts';

const MAX_REPLICAS = 10_000;
const MAX_JOB_RETRIES = 1_000;
const MAX_KEPT_RUNS = 1_000;
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

/** Its fields are read and carried; nothing scales by them yet. */
function checkAutoscale({ autoscale }: ServiceSpec, path: string): readonly Violation[] {
  return autoscale === undefined ? [] : [{ path: `${path}.autoscale`, message: 'is not available in this version' }];
}
