/** What only some kinds of services have: `job`, the fields of a cron, `autoscale`. */
import { parseDuration, parsePercent } from './quantity.ts';
import { isRawMap } from './raw-value.ts';
import type { SchemaField, KeyTable } from './schema-field.ts';
import type { AutoscaleSpec, CronSpec, JobSpec, ServiceKind } from './service.ts';

/** Keys of a service beside `kind: cron`. */
export const CRON_SERVICE_KEYS = ['schedule', 'timezone', 'concurrency', 'starting_deadline', 'history', 'suspend'] as const;

const JOB_KEYS: KeyTable = { known: ['completions', 'parallelism', 'retries', 'timeout', 'keep'] };
const HISTORY_KEYS: KeyTable = { known: ['succeeded', 'failed'] };
const AUTOSCALE_KEYS: KeyTable = { known: ['min', 'max', 'cpu', 'memory', 'metric', 'stabilization'] };
const STABILIZATION_KEYS: KeyTable = { known: ['up', 'down'] };
const METRIC_KEYS: KeyTable = { known: ['query', 'target'] };

const DEFAULT_RETRIES = 3;
/** Kubernetes' CronJob keeps as many. */
const DEFAULT_KEPT_SUCCEEDED = 3;
const DEFAULT_KEPT_FAILED = 1;
/** As of Kubernetes' HorizontalPodAutoscaler. */
const DEFAULT_STABILIZATION_MS = 300_000;

export function readJob(field: SchemaField, kind: ServiceKind): { readonly job?: JobSpec } {
  if (kind !== 'job' && kind !== 'cron') {
    if (field.isPresent) {
      field.complain('only a service of kind job or cron has this');
    }
    return {};
  }
  field.checkKeys(JOB_KEYS);
  const timeoutMs = field.at('timeout').parsed(parseDuration);
  const keepMs = field.at('keep').parsed(parseDuration);
  const parallelism = field.at('parallelism');
  return {
    job: {
      retries: field.at('retries').integer(DEFAULT_RETRIES),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(parallelism.isPresent ? { parallelism: parallelism.integer(1) } : {}),
      ...(keepMs === undefined ? {} : { keepMs }),
    },
  };
}

/** `service`: the mapping that these keys stand in. */
export function readCron(service: SchemaField, kind: ServiceKind): { readonly cron?: CronSpec } {
  if (kind !== 'cron') {
    CRON_SERVICE_KEYS.map(key => service.at(key)).filter(field => field.isPresent)
      .forEach(field => { field.complain('only a service of kind cron has this'); });
    return {};
  }
  const history = service.at('history');
  history.checkKeys(HISTORY_KEYS);
  const startingDeadlineMs = service.at('starting_deadline').parsed(parseDuration);
  return {
    cron: {
      schedule: service.at('schedule').requiredText(),
      timezone: service.at('timezone').text() ?? 'UTC',
      concurrency: service.at('concurrency').choice({ words: ['allow', 'forbid', 'replace'] }, 'allow'),
      ...(startingDeadlineMs === undefined ? {} : { startingDeadlineMs }),
      keptSucceeded: history.at('succeeded').integer(DEFAULT_KEPT_SUCCEEDED),
      keptFailed: history.at('failed').integer(DEFAULT_KEPT_FAILED),
      isSuspended: service.at('suspend').boolean(false),
    },
  };
}

export function readAutoscale(field: SchemaField): { readonly autoscale?: AutoscaleSpec } {
  if (!field.isPresent) {
    return {};
  }
  field.checkKeys(AUTOSCALE_KEYS);
  field.at('max').require();
  const cpuPercent = readShare(field.at('cpu'));
  const memoryPercent = readShare(field.at('memory'));
  const min = field.at('min').integer(1);
  return {
    autoscale: {
      min,
      max: field.at('max').integer(min),
      ...(cpuPercent === undefined ? {} : { cpuPercent }),
      ...(memoryPercent === undefined ? {} : { memoryPercent }),
      ...readMetric(field.at('metric')),
      ...readStabilization(field.at('stabilization')),
    },
  };
}

/** A time alone is that of the way down. */
function readStabilization(field: SchemaField): Pick<AutoscaleSpec, 'stabilizationMs' | 'upStabilizationMs'> {
  if (!isRawMap(field.value)) {
    return { stabilizationMs: field.parsed(parseDuration) ?? DEFAULT_STABILIZATION_MS, upStabilizationMs: 0 };
  }
  field.checkKeys(STABILIZATION_KEYS);
  return { stabilizationMs: field.at('down').parsed(parseDuration) ?? DEFAULT_STABILIZATION_MS, upStabilizationMs: field.at('up').parsed(parseDuration) ?? 0 };
}

/** One that cannot be read is complained about; it is there all the same. */
function readShare(field: SchemaField): number | undefined {
  return field.parsed(parsePercent) ?? (field.isPresent ? 100 : undefined);
}

function readMetric(field: SchemaField): Pick<AutoscaleSpec, 'metric'> {
  if (!field.isPresent) {
    return {};
  }
  field.checkKeys(METRIC_KEYS);
  const target = field.at('target');
  target.require();
  return { metric: { query: field.at('query').requiredText(), target: target.number(1) } };
}
