/** Apply: one App, whole or not at all, as the next numbered Revision. */
import type { AppSpec, Service, ServiceStatus } from '#model/app.ts';
import { virtualIp } from '#model/addressing.ts';
import { checkAppSpec } from '#model/app-rules.ts';
import { ClusterError } from '#model/errors.ts';
import type { Violation } from '#model/errors.ts';
import { appId, serviceId } from '#model/ids.ts';
import { checkNamespacePolicy } from '#model/namespace.ts';
import type { ApplyOutcome, ControlHandlers, Peer } from '#model/ports.ts';
import type { PlannedEvent } from '../reconcile/plan.ts';
import { encodeApp, encodeRevision, encodeService } from '../store/records.ts';
import { contentKeys } from '../reconcile/content-retention.ts';
import { transactGuarded } from '../store/guarded-write-flow.ts';
import { buildKey } from '../store/keys.ts';
import type { Compare, Operation } from '../store/ports.ts';
import { requireRole } from './access.ts';
import { takeTurn } from './address-turn-flow.ts';
import type { AddressTurn } from './address-turn-flow.ts';
import { findClashes, namesSharedThings } from './cluster-clashes.ts';
import { policyOf } from './namespace-api.ts';
import { withClusterDefaults } from './cluster-defaults.ts';
import type { ReservedPorts } from '#model/reserved-port.ts';
import type { ClusterDefaults } from './cluster-defaults.ts';
import { pinImages } from './digest-flow.ts';
import type { DigestParts } from './digest-flow.ts';
import type { EventSink, SecretSealer } from './ports.ts';
import { configSha256, draftRevision, newServiceCount } from './revision.ts';
import type { RevisionDraft, RevisionInput } from './revision.ts';
import { previewWarnings } from './apply-preview.ts';
import { requireValid } from './violations.ts';
import { latestVersions, writeAppSecrets } from './secret-flow.ts';
import { requirePlan } from './saved-plan-flow.ts';
import { earlierAnswer, requireOutcome, writeOnce } from './write-once-flow.ts';
import type { WriteDraft, WriteParts } from './write-once-flow.ts';

export interface ApplyParts extends WriteParts, DigestParts, ClusterDefaults {
  /** What no service may publish. */
  readonly reservedPorts: readonly ReservedPorts[];
  readonly sealer: SecretSealer;
  readonly events: EventSink;
  /** Whether this controller can ask for metrics. */
  readonly hasPrometheus: boolean;
  readonly signal: AbortSignal;
}

/** Encoded size of an App's records. Source: decisions.md, "etcd". */
const MAX_APP_BYTES = 512 * 1024;

export function createApply(parts: ApplyParts): ControlHandlers['apply'] {
  return async (request, peer) => {
    requireRole(peer, 'operator');
    const write = { rpc: 'apply', request } as const;
    const violations = [...checkAppSpec(request.app), ...checkPolicy(request.app, parts), ...missingSecrets(request.app, parts)];
    const earlier = violations.length === 0 || request.isDryRun ? undefined : await earlierAnswer(write, parts, parts.signal);
    if (earlier !== undefined) {
      return requireOutcome(earlier, 'applied', request).outcome;
    }
    requireValid(violations);
    const pinning = pinnedApp(withClusterDefaults(request.app, parts), parts);
    if (request.isDryRun) {
      const app = await pinning;
      return outcomeOf(app, wouldBeDraft(app, parts), parts);
    }
    // While the registries answer the turn is read, and whether the request was carried out before: then nobody waits for them.
    pinning.catch(() => undefined);
    let turn = needsTurn(request.app, parts) ? takeTurn(parts, parts.signal) : undefined;
    turn?.catch(() => undefined);
    let carriedOut: AppSpec | undefined;
    const outcome = await writeOnce(write, parts, async () => {
      const app = await pinning;
      carriedOut = app;
      const secretVersions = await writeAppSecrets(app, parts, parts.signal);
      await writeConfigs(app, parts);
      const draft = await draftWrite({ ...request, app }, secretVersions, parts, turn);
      turn = undefined;
      return draft;
    }, parts.signal);
    const applied = requireOutcome(outcome, 'applied', request).outcome;
    if (carriedOut !== undefined) parts.events.record(privilegedEvents(carriedOut, applied, peer));
    return applied;
  };
}

/** With its digests. Clashes are looked for again in its turn; here, so that a refused apply has not written contents. @throws ClusterError INVALID_ARGUMENT */
async function pinnedApp(app: AppSpec, parts: ApplyParts): Promise<AppSpec> {
  const pinned = await pinImages(app, parts, parts.signal);
  requireValid(findClashes(pinned, parts.state.current, parts.reservedPorts));
  return pinned;
}

/** Who let services of profile `privileged` in: told apart from the rest, since they may do what the machine's root may. */
function privilegedEvents(app: AppSpec, outcome: ApplyOutcome, peer: Peer): readonly PlannedEvent[] {
  const names = app.services.filter(service => service.container.security.profile === 'privileged').map(service => service.name);
  return names.length === 0 || !outcome.isChanged ? [] : [{
    type: 'warning', object: `app/${app.namespace}/${app.name}`, reason: 'PrivilegedApplied',
    message: `${peer.role} ${peer.name} (${peer.address}) applied revision ${String(outcome.revision)} with privileged services: ${names.join(', ')}`,
  }];
}

/** What the next Revision is made of. */
export type RevisionRequest = Pick<Parameters<ControlHandlers['apply']>[0], 'app' | 'expireAfterEndMs' | 'planId'> & Pick<RevisionInput, 'pins' | 'cause'>;

function needsTurn(app: AppSpec, parts: ApplyParts): boolean {
  return newServiceCount(app, currentServices(app, parts)) > 0 || namesSharedThings(app);
}

/** The transaction of the next Revision; nothing where it would be as what is in force. `earlyTurn`: of an earlier read; when somebody took something since, the transaction is refused. */
export async function draftWrite(request: RevisionRequest, secretVersions: ReadonlyMap<string, number>, parts: ApplyParts, earlyTurn?: Promise<AddressTurn>): Promise<WriteDraft> {
  const turn = needsTurn(request.app, parts) ? await (earlyTurn ?? takeTurn(parts, parts.signal)) : undefined;
  await requirePlan(request, parts);
  requireValid([...checkPolicy(request.app, parts), ...findClashes(request.app, parts.state.current, parts.reservedPorts)]);
  const current = parts.state.current.apps.get(appId(request.app.namespace, request.app.name));
  if (current?.value.isDeleting === true) {
    throw new ClusterError('FAILED_PRECONDITION', `App ${request.app.namespace}/${request.app.name} is being deleted; apply again when it is gone`);
  }
  const draft = draftWith(request, secretVersions, parts);
  const outcome = { kind: 'applied' as const, outcome: outcomeOf(request.app, draft, parts) };
  if (!draft.isChanged) {
    return { compares: [], operations: [], outcome };
  }
  const operations = recordsOf(draft);
  requireSize(operations);
  return {
    compares: [
      { kind: 'mod-revision', key: buildKey({ kind: 'app', id: draft.app.id }), revision: current?.modRevision ?? 0 },
      ...draft.services.map((service): Compare => ({
        kind: 'mod-revision', key: buildKey({ kind: 'service', id: service.id }), revision: parts.state.current.services.get(service.id)?.modRevision ?? 0,
      })),
      { kind: 'mod-revision', key: buildKey({ kind: 'namespace', name: request.app.namespace }), revision: parts.state.current.namespaces.get(request.app.namespace)?.modRevision ?? 0 },
      ...(turn === undefined ? [] : [turn.compare]),
    ],
    operations: [...operations, ...(turn === undefined ? [] : [turn.operation])],
    outcome,
  };
}

/** @throws ClusterError INVALID_ARGUMENT */
function requireSize(operations: readonly Operation[]): void {
  const bytes = operations.reduce((sum, operation) => sum + (operation.kind === 'put' ? operation.value.length : 0), 0);
  if (bytes > MAX_APP_BYTES) {
    throw new ClusterError('INVALID_ARGUMENT', `App is ${String(bytes)} bytes encoded, at most ${String(MAX_APP_BYTES)} are allowed; split it`);
  }
}

/** What an apply would write now, with nothing written. */
export function wouldBeDraft(app: AppSpec, parts: Pick<ApplyParts, 'state' | 'clock'>): RevisionDraft {
  return draftWith({ app }, wouldBeVersions(app, parts), parts);
}

/** @throws ClusterError RESOURCE_EXHAUSTED where no virtual IP is left */
export function draftWith(
  request: Omit<RevisionRequest, 'planId'>, secretVersions: ReadonlyMap<string, number>, parts: Pick<ApplyParts, 'state' | 'clock'>,
): RevisionDraft {
  const services = currentServices(request.app, parts);
  return draftRevision({
    app: request.app,
    secretVersions,
    currentApp: parts.state.current.apps.get(appId(request.app.namespace, request.app.name))?.value,
    currentServices: services,
    currentStatuses: statusesOf(services, parts),
    freeVirtualIps: nextVirtualIps(request.app, parts),
    nowMs: parts.clock.nowMs(),
    ...(request.expireAfterEndMs === undefined ? {} : { expireAfterEndMs: request.expireAfterEndMs }),
    ...(request.pins === undefined ? {} : { pins: request.pins }), ...(request.cause === undefined ? {} : { cause: request.cause }),
  });
}

function recordsOf(draft: RevisionDraft): readonly Operation[] {
  return [
    { kind: 'put', key: buildKey({ kind: 'app', id: draft.app.id }), value: encodeApp(draft.app) },
    { kind: 'put', key: buildKey({ kind: 'revision', app: draft.app.id, number: draft.revision.number }), value: encodeRevision(draft.revision) },
    ...draft.services.map((service): Operation => ({ kind: 'put', key: buildKey({ kind: 'service', id: service.id }), value: encodeService(service) })),
  ];
}

function outcomeOf(app: AppSpec, draft: RevisionDraft, parts: ApplyParts): ApplyOutcome {
  return {
    app: app.name,
    namespace: app.namespace,
    revision: draft.isChanged ? draft.app.revision : draft.app.revision - 1,
    isChanged: draft.isChanged,
    services: draft.changes,
    warnings: [...rolledBackNotes(app, draft, parts), ...previewWarnings(parts.state.current, draft.services)],
  };
}

/** For services that are as asked because a later Revision of them was rolled back. */
function rolledBackNotes(app: AppSpec, { changes }: RevisionDraft, { state }: ApplyParts): readonly string[] {
  return changes.filter(({ change }) => change === 'unchanged').flatMap(({ name, revision }) => {
    const rollout = state.current.serviceStatuses.get(serviceId(app.namespace, app.name, name))?.value.rollout;
    return rollout?.state === 'rolled_back' && rollout.revision > revision
      ? [`service ${name}: revision ${String(rollout.revision)} was rolled back; revision ${String(revision)}, which is in force, equals this manifest`] : [];
  });
}

/** What manifests declared: the runs of crons come and go with these. */
function currentServices(app: AppSpec, parts: Pick<ApplyParts, 'state'>): ReadonlyMap<string, Service> {
  const id = appId(app.namespace, app.name);
  return new Map([...parts.state.current.services.values()]
    .filter(record => appId(record.value.namespace, record.value.app) === id && record.value.cronRun === undefined)
    .map(record => [record.value.name, record.value]));
}

/** By name. */
function statusesOf(services: ReadonlyMap<string, Service>, { state }: Pick<ApplyParts, 'state'>): ReadonlyMap<string, ServiceStatus> {
  return new Map([...services.values()].flatMap(({ name, id }) => {
    const status = state.current.serviceStatuses.get(id)?.value;
    return status === undefined ? [] : [[name, status] as const];
  }));
}

/** Lowest virtual IPs that no service has, one for each new service. @throws ClusterError RESOURCE_EXHAUSTED */
function nextVirtualIps(app: AppSpec, parts: Pick<ApplyParts, 'state'>): readonly string[] {
  const taken = new Set([...parts.state.current.services.values()].map(record => record.value.virtualIp));
  const wanted = newServiceCount(app, currentServices(app, parts));
  const free: string[] = [];
  for (let index = 0; free.length < wanted; index += 1) {
    if (index > 65_533) {
      throw new ClusterError('RESOURCE_EXHAUSTED', 'all 65534 virtual IPs are taken');
    }
    const address = virtualIp(index);
    if (!taken.has(address)) {
      free.push(address);
    }
  }
  return free;
}

/**
 * Immutable and named by content: written before the App that names them, harmless when the apply does not land. One that may be there without
 * being needed is written anew, so that it is not removed meanwhile (reconcile/content-retention.ts).
 */
async function writeConfigs(app: AppSpec, parts: ApplyParts): Promise<void> {
  const inUse = new Set([...parts.state.current.services.values()].flatMap(({ value }) => contentKeys(value.namespace, value.pins)));
  for (const config of app.configs) {
    const key = buildKey({ kind: 'blob', namespace: app.namespace, sha256: configSha256(config) });
    const compares: readonly Compare[] = inUse.has(key) ? [{ kind: 'mod-revision', key, revision: 0 }] : [];
    await transactGuarded(parts.store, compares, [{ kind: 'put', key, value: config.content }], parts.signal);
  }
}

export function missingSecrets(app: AppSpec, parts: Pick<ApplyParts, 'state'>): readonly Violation[] {
  return app.secrets
    .filter(secret => secret.kind === 'external' && !parts.state.current.secrets.has(`${app.namespace}/${secret.name}`))
    .map(secret => ({
      path: `secrets.${secret.name}`,
      message: `no secret ${secret.name} in namespace ${app.namespace}; make it with: clusterctl secret create ${secret.name} --from-file FILE -n ${app.namespace}`,
    }));
}

/** For a dry run: the versions that an apply would pin, nothing written. */
function wouldBeVersions(app: AppSpec, parts: Pick<ApplyParts, 'state'>): ReadonlyMap<string, number> {
  const latest = latestVersions(app.namespace, parts.state.current);
  return new Map(app.secrets.map(secret => [secret.name, latest.get(secret.name)?.version ?? 1]));
}

/** What the namespace and this controller allow. */
export function checkPolicy(app: AppSpec, parts: Pick<ApplyParts, 'state' | 'hasPrometheus'>): readonly Violation[] {
  return [...checkNamespacePolicy(app, policyOf(app.namespace, parts.state.current)), ...(parts.hasPrometheus ? [] : metricsWithoutSource(app))];
}

function metricsWithoutSource({ services }: AppSpec): readonly Violation[] {
  return services.filter(service => service.autoscale?.metric !== undefined).map(service => ({
    path: `services.${service.name}.autoscale.metric`, message: 'this cluster has no Prometheus to ask; start its controllers with --prometheus URL',
  }));
}
