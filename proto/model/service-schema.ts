/** One entry of `services` -> ServiceSpec, defaults filled in (manifest rule 7). */
import { parsePlacementRule } from './constraint.ts';
import { readCompanions, readContainer } from './container-schema.ts';
import { leastReplaceAfterMs } from './exclusive.ts';
import { readPairs } from './pair-schema.ts';
import { CRON_SERVICE_KEYS, readAutoscale, readCron, readJob } from './kind-schema.ts';
import { parseDuration } from './quantity.ts';
import { isRawList } from './raw-value.ts';
import type { SchemaField, KeyTable } from './schema-field.ts';
import { PLACEMENT_POLICIES } from './service.ts';
import type {
  ContainerSpec, Dependency, DisconnectSpec, PlacementRule, PlacementSpec, ServiceAffinity, ServiceKind, ServiceSpec,
} from './service.ts';
import { readUpdate } from './update-schema.ts';

const SERVICE_KEYS: KeyTable = {
  known: [
    'image', 'kind', 'replicas', 'command', 'entrypoint', 'environment', 'ports', 'healthcheck', 'restart', 'resources', 'configs', 'secrets',
    'volumes', 'placement', 'update', 'stop_signal', 'stop_grace_period', 'working_dir', 'init', 'hostname', 'labels', 'ulimits', 'sysctls',
    'shm_size', 'extra_hosts', 'dns', 'devices', 'depends_on', 'security', 'runtime', 'pull_policy', 'on_disconnect', 'job', 'tty', 'stdin_open', 'init_containers', 'sidecars',
    'autoscale', ...CRON_SERVICE_KEYS,
  ],
};
const PLACEMENT_KEYS: KeyTable = { known: ['require', 'prefer', 'spread', 'max_per', 'tolerate', 'affinity', 'avoid', 'policy', 'priority', 'gang'] };
const AFFINITY_KEYS: KeyTable = { known: ['service', 'label', 'weight'] };
const DISCONNECT_KEYS: KeyTable = { known: ['replace_after', 'stop_after'] };

/** LOST + EVICT of the default times (reliability 2). */
const DEFAULT_REPLACE_AFTER_MS = 50_000;

export function readService(name: string, field: SchemaField): ServiceSpec {
  field.checkKeys(SERVICE_KEYS);
  const kind: ServiceKind = field.at('kind').choice({ words: ['service', 'global', 'stateful', 'job', 'cron'] }, 'service');
  field.at('image').require();
  const container = readContainer(field, kind, 'baseline');
  const onDisconnect = readDisconnect(field.at('on_disconnect'), kind, container);
  const companions = readCompanions(field, container);
  return {
    name,
    kind,
    replicas: readReplicas(field, kind),
    labels: readPairs(field.at('labels')),
    placement: readPlacement(field.at('placement')),
    update: readUpdate(field.at('update'), onDisconnect),
    dependsOn: readDependencies(field.at('depends_on')),
    onDisconnect,
    ...readJob(field.at('job'), kind),
    ...readCron(field, kind),
    ...readAutoscale(field.at('autoscale')),
    container,
    ...(companions.length === 0 ? {} : { companions }),
  };
}

function readReplicas(field: SchemaField, kind: ServiceKind): number {
  const replicas = field.at('replicas');
  const completions = field.at('job').at('completions');
  if (kind === 'global') {
    if (replicas.isPresent) {
      replicas.complain('a global service runs once on every eligible node; leave replicas out');
    }
    return 0;
  }
  if ((kind === 'job' || kind === 'cron') && completions.isPresent) {
    return completions.integer(1);
  }
  return replicas.integer(field.at('autoscale').at('min').integer(1));
}

function readPlacement(field: SchemaField): PlacementSpec {
  field.checkKeys(PLACEMENT_KEYS);
  return {
    require: field.at('require').items().flatMap(readRule),
    prefer: field.at('prefer').items().flatMap(item => {
      item.checkKeys({ known: ['rule', 'weight'] });
      return readRule(item.at('rule')).map(rule => ({ rule, weight: item.at('weight').integer(1) }));
    }),
    spread: field.at('spread').texts(),
    maxPer: field.at('max_per').entries().map(([label, count]) => ({ label, count: count.integer(1) })),
    tolerate: field.at('tolerate').texts(),
    affinity: field.at('affinity').items().map(readAffinity),
    avoid: field.at('avoid').items().map(readAffinity),
    ...(field.at('policy').isPresent ? { policy: field.at('policy').choice({ words: PLACEMENT_POLICIES }, 'spread') } : {}),
    priority: field.at('priority').integer(0),
    isGang: field.at('gang').boolean(false),
  };
}

/** A service's name alone: it must hold, on the node. */
function readAffinity(field: SchemaField): ServiceAffinity {
  if (typeof field.value === 'string') {
    return { service: field.value, label: 'node' };
  }
  field.checkKeys(AFFINITY_KEYS);
  const weight = field.at('weight');
  return {
    service: field.at('service').requiredText(), label: field.at('label').text() ?? 'node',
    ...(weight.isPresent ? { weight: weight.integer(1) } : {}),
  };
}

function readRule(field: SchemaField): readonly PlacementRule[] {
  const text = field.requiredText();
  if (text === '') {
    return [];
  }
  const parsed = parsePlacementRule(text);
  if (parsed.kind === 'error') {
    field.complain(`${parsed.message} in the rule`);
    return [];
  }
  return [parsed.rule];
}

function readDisconnect(field: SchemaField, kind: ServiceKind, container: ContainerSpec): DisconnectSpec {
  field.checkKeys(DISCONNECT_KEYS);
  const after = field.at('replace_after');
  const stop = field.at('stop_after');
  if (after.value === 'never') {
    if (stop.isPresent) {
      stop.complain('what stops itself is replaced: give replace_after a time or leave it out, or leave out stop_after');
    }
    return { kind: 'hold' };
  }
  const afterMs = after.parsed(parseDuration);
  const stopAfterMs = stop.parsed(parseDuration);
  if (stopAfterMs !== undefined) {
    return { kind: 'exclusive', stopAfterMs, replaceAfterMs: afterMs ?? Math.max(DEFAULT_REPLACE_AFTER_MS, leastReplaceAfterMs({ stopAfterMs, container })) };
  }
  if (afterMs === undefined) {
    return kind === 'stateful' ? { kind: 'hold' } : { kind: 'replace', afterMs: DEFAULT_REPLACE_AFTER_MS };
  }
  return { kind: 'replace', afterMs };
}

/** A mapping `db: { condition }` or a list of names. */
function readDependencies(field: SchemaField): readonly Dependency[] {
  if (isRawList(field.value)) {
    return field.texts().map(service => ({ service, condition: 'service_started' }));
  }
  return field.entries().map(([service, entry]) => {
    entry.checkKeys({ known: ['condition'] });
    const condition = entry.at('condition').choice(
      { words: ['service_started', 'service_healthy', 'service_completed_successfully'] }, 'service_started');
    return { service, condition };
  });
}
