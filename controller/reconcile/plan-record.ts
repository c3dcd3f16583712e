/** A saved plan, and what changed since it was made. */
import { createHash } from 'node:crypto';
import type { AppSpec } from '#model/app.ts';
import type { ClusterSnapshot, Versioned } from '#model/cluster-snapshot.ts';
import { appId } from '#model/ids.ts';
import type { PlannedApp, PlanRecord } from '#model/records.ts';
import { canonicalJson } from '../api/revision.ts';
import { appOfService } from '../store/keys.ts';

/** How long a saved plan can be applied. */
export const PLAN_LIFE_MS = 3_600_000;
/** Changes that are named; the rest is counted. */
const MAX_NAMED = 5;

export interface PlanRecordInput {
  readonly id: string;
  readonly snapshot: ClusterSnapshot;
  /** As they were planned: with every image pinned. */
  readonly apps: readonly AppSpec[];
  readonly nowMs: number;
}

export function planRecord({ id, snapshot, apps, nowMs }: PlanRecordInput): PlanRecord {
  return {
    id, baseRevision: snapshot.etcdRevision, apps: apps.map(app => plannedApp(app, snapshot)),
    membersSha256: membersSha256(snapshot, apps.map(app => appId(app.namespace, app.name))), createdAtMs: nowMs,
  };
}

function plannedApp(app: AppSpec, snapshot: ClusterSnapshot): PlannedApp {
  return {
    id: appId(app.namespace, app.name), specSha256: specSha256(app),
    secrets: externalSecrets(app, snapshot), namespaceSha256: namespaceSha256(app.namespace, snapshot),
  };
}

/** Those that are there; an apply is refused without the others. */
function externalSecrets({ namespace, secrets }: AppSpec, snapshot: ClusterSnapshot): PlannedApp['secrets'] {
  return secrets.filter(secret => secret.kind === 'external').flatMap(({ name }) => {
    const newest = snapshot.secrets.get(`${namespace}/${name}`)?.value;
    return newest === undefined ? [] : [{ name, version: newest.version, createdAtMs: newest.createdAtMs }];
  });
}

function namespaceSha256(name: string, { namespaces }: ClusterSnapshot): string {
  const { createdAtMs: _created, updatedAtMs: _updated, ...rules } = namespaces.get(name)?.value ?? { createdAtMs: 0, updatedAtMs: 0 };
  return createHash('sha256').update(canonicalJson(rules)).digest('hex');
}

/** Why the plan cannot be carried out for `app` any more; undefined when all that it was made from is as it was. */
export function stalePlanReason(record: PlanRecord, app: AppSpec, snapshot: ClusterSnapshot, nowMs: number): string | undefined {
  const id = appId(app.namespace, app.name);
  const planned = record.apps.find(one => one.id === id);
  if (nowMs - record.createdAtMs > PLAN_LIFE_MS) {
    return `plan ${record.id} is older than an hour; plan again`;
  }
  if (planned === undefined) {
    return `plan ${record.id} is not about App ${id}; plan again`;
  }
  if (planned.specSha256 !== specSha256(app)) {
    return `the manifest of App ${id} is not the one that plan ${record.id} was made for; plan again`;
  }
  const changes = [...contentChanges(planned, app, snapshot), ...changesSince(record, id, snapshot)];
  if (changes.length === 0) {
    return undefined;
  }
  const more = changes.length > MAX_NAMED ? `, and ${String(changes.length - MAX_NAMED)} more` : '';
  return `the cluster changed since plan ${record.id} was made (expected revision ${String(record.baseRevision)}, is ${String(snapshot.etcdRevision)}): `
    + `${changes.slice(0, MAX_NAMED).join(', ')}${more}; plan again`;
}

/** What the App's tasks would hold, and what its namespace allows. */
function contentChanges(planned: PlannedApp, app: AppSpec, snapshot: ClusterSnapshot): readonly string[] {
  const now = new Map(externalSecrets(app, snapshot).map(secret => [secret.name, secret]));
  const secrets = planned.secrets.filter(({ name, version, createdAtMs }) => now.get(name)?.version !== version || now.get(name)?.createdAtMs !== createdAtMs);
  const isOtherNamespace = planned.namespaceSha256 !== '' && planned.namespaceSha256 !== namespaceSha256(app.namespace, snapshot);
  return [
    ...secrets.map(({ name, version }) => `secret/${app.namespace}/${name} is not at version ${String(version)} any more`),
    ...(isOtherNamespace ? [`policy or quota of namespace/${app.namespace} was changed`] : []),
  ];
}

/** Records that a placement is decided from and that are newer than the plan. What the plan's other Apps changed, it foresaw. */
function changesSince(record: PlanRecord, own: string, snapshot: ClusterSnapshot): readonly string[] {
  const foreseen = record.apps.map(app => app.id).filter(id => id !== own);
  const isNew = (entry: Versioned<unknown>): boolean => entry.modRevision > record.baseRevision;
  const isForeseen = (service: string): boolean => foreseen.some(app => service.startsWith(`${app}/`));
  return [
    ...[...snapshot.services.values()].filter(entry => isNew(entry) && !isForeseen(entry.value.id)).map(({ value }) => `service/${value.id} was changed`),
    ...[...snapshot.nodes.values()].filter(isNew).map(({ value }) => `node/${value.id} was changed`),
    ...[...snapshot.tasks.values()].filter(entry => isNew(entry) && !isForeseen(entry.value.serviceId)).map(({ value }) => `task/${value.id} was ${value.desired === 'stop' ? 'stopped' : 'made'}`),
    ...(record.membersSha256 === membersSha256(snapshot, record.apps.map(app => app.id)) ? [] : ['nodes or services came or went']),
  ].sort();
}

/** Nodes, and services of other Apps than the plan's, by their ids. */
function membersSha256(snapshot: ClusterSnapshot, apps: readonly string[]): string {
  const services = [...snapshot.services.keys()].filter(id => !apps.includes(appOfService(id))).sort();
  return createHash('sha256').update(canonicalJson([[...snapshot.nodes.keys()].sort(), services])).digest('hex');
}

function specSha256(app: AppSpec): string {
  const secrets = app.secrets.map(secret => (secret.kind === 'content' ? { ...secret, content: Buffer.from(secret.content).toString('base64') } : secret));
  const configs = app.configs.map(config => ({ ...config, content: Buffer.from(config.content).toString('base64') }));
  return createHash('sha256').update(canonicalJson({ ...app, secrets, configs })).digest('hex');
}
