/** Rollouts and revisions for people and for scripts. */
import type { App, Revision } from '#model/app.ts';
import { containersOf } from '#model/companion.ts';
import type { ClusterView, ServiceView } from '#model/ports.ts';
import type { ServiceSpec } from '#model/service.ts';
import { printable } from '#model/printable.ts';
import { formatAge, formatTime } from './age.ts';
import { formatFields } from './fields.ts';
import type { Item } from './items.ts';
import { toPlain } from './plain.ts';
import type { Table } from './table.ts';

/** The declared services of an App: runs of its crons come and go by themselves. */
export function rolloutsOf(view: ClusterView, app: Pick<App, 'namespace' | 'name'>): readonly ServiceView[] {
  return view.services.filter(({ service }) => service.namespace === app.namespace && service.app === app.name && service.cronRun === undefined);
}

export function rolloutItem({ service, status, running, healthy, wanted }: ServiceView): Item {
  return {
    namespace: service.namespace, app: service.app, service: service.name, state: stateOf({ service, status }), ...progressOf(status),
    revision: service.revision, ...strategyOf(service.spec), isPaused: service.rollout?.isPaused ?? false, running, healthy, wanted,
  };
}

function progressOf(status: ServiceView['status']): Item {
  const { reason = '', step = 0, startedAtMs } = status?.rollout ?? {};
  return { reason, step, settledRevision: status?.settledRevision ?? 0, startedAt: formatTime(startedAtMs) };
}

function strategyOf({ update: { strategy, stepPercents, promote } }: ServiceSpec): Item {
  return { strategy, steps: stepPercents ?? [], promote: promote ?? 'auto' };
}

/** The leader has not seen a newer Revision yet. */
function stateOf({ service, status }: { readonly service: ServiceView['service']; readonly status: ServiceView['status'] }): string {
  return status === undefined || status.rollout.revision < service.revision ? 'progressing' : status.rollout.state;
}

export function rolloutLine({ service, status, healthy, wanted }: ServiceView): string {
  const reason = status?.rollout.reason ?? '';
  return `${service.app}/${service.name}: revision ${String(service.revision)} ${stateOf({ service, status })}, ${String(healthy)}/${String(wanted)} healthy${reason === '' ? '' : ` (${reason})`}`;
}

export interface HistoryRow extends Item {
  readonly revision: number;
  readonly createdAt: string | null;
  readonly cause: string;
  readonly inForce: readonly string[];
  /** Services that went back from it, as far as nothing came since. */
  readonly rolledBack: readonly { readonly service: string; readonly reason: string }[];
  readonly services: readonly HistoryService[];
}

interface HistoryService {
  readonly name: string;
  readonly image: string;
  readonly digest: string | null;
  /** `name@first 12 of its SHA-256`, `name@version`. */
  readonly configs: readonly string[];
  readonly secrets: readonly string[];
}

/** `services`: those now, to say which the Revision is in force for. */
export function historyItem(revision: Revision, { service, services }: { readonly service?: string | undefined; readonly services: readonly ServiceView[] }): HistoryRow {
  return {
    revision: revision.number, createdAt: formatTime(revision.createdAtMs), cause: revision.cause ?? 'apply',
    inForce: services.filter(one => one.service.revision === revision.number).map(one => one.service.name),
    rolledBack: services.filter(({ status }) => status?.rollout.state === 'rolled_back' && status.rollout.revision === revision.number)
      .map(one => ({ service: one.service.name, reason: one.status?.rollout.reason ?? '' })),
    services: revision.services.filter(spec => service === undefined || spec.name === service).map(spec => serviceOf(spec, revision)),
  };
}

function serviceOf(spec: ServiceSpec, { pins }: Revision): HistoryService {
  const containers = containersOf(spec);
  return {
    name: spec.name, image: spec.container.image, digest: spec.container.digest ?? null,
    configs: pins.configs.filter(pin => containers.some(one => one.configs.some(mount => mount.source === pin.name))).map(pin => `${pin.name}@${pin.sha256.slice(0, 12)}`),
    secrets: pins.secrets.filter(pin => containers.some(one => one.secrets.some(mount => mount.source === pin.name))).map(pin => `${pin.name}@${String(pin.version)}`),
  };
}

export function historyTable(items: readonly HistoryRow[], nowMs: number): Table {
  return {
    head: ['REVISION', 'AGE', 'CAUSE', 'IN FORCE', 'IMAGES', 'CONFIGS', 'SECRETS'],
    rows: items.map(({ revision, createdAt, cause, inForce, rolledBack, services }) => [
      String(revision), createdAt === null ? '' : formatAge(Date.parse(createdAt), nowMs), [cause, ...rolledBack.map(one => `${one.service}: ${one.reason}`)].join('; '), inForce.join(','),
      unique(services.map(one => one.image)), unique(services.flatMap(one => one.configs)), unique(services.flatMap(one => one.secrets)),
    ]),
  };
}

/** One Revision with all that it says of its services, or of the one that is asked for. */
export function revisionItem(revision: Revision, about: Parameters<typeof historyItem>[1]): Item {
  const { services: summaries, ...row } = historyItem(revision, about);
  const specs = revision.services.filter(spec => summaries.some(one => one.name === spec.name));
  return { app: revision.app, ...row, services: specs.map(spec => ({ ...summaries.find(one => one.name === spec.name), spec: toPlain(spec) })), volumes: toPlain(revision.volumes) };
}

/** The same as lines: each service below its name. */
export function formatRevision({ services, ...rest }: Item): string {
  const parts = (services as readonly Item[]).map(({ name, image: _, spec, ...facts }) => `${printable(`service ${String(name)}`)}\n${formatFields({ ...facts, spec }, '  ')}`);
  return [formatFields(rest, ''), ...parts].join('');
}

function unique(texts: readonly string[]): string {
  return [...new Set(texts)].join(',');
}
