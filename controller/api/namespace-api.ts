/** Policies of namespaces: what the services in them may ask for. */
import { describeLabelProblem } from '#model/app-rules.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { ClusterError } from '#model/errors.ts';
import { isLabel } from '#model/ids.ts';
import { DEFAULT_NAMESPACE_POLICY, findPrefixProblem } from '#model/namespace.ts';
import type { NamespacePolicy, NamespaceQuota, NamespaceView } from '#model/namespace.ts';
import type { ControlHandlers, Peer } from '#model/ports.ts';
import { findQuotaProblem, formatQuota, isEmptyQuota } from '#model/quota.ts';
import type { PlannedEvent } from '../reconcile/plan.ts';
import { asQuota, quotaUse } from '../schedule/quota.ts';
import { buildKey } from '../store/keys.ts';
import { encodeNamespace } from '../store/records.ts';
import { requireRole } from './access.ts';
import type { EventSink } from './ports.ts';
import { writeOnce } from './write-once-flow.ts';
import type { WriteParts } from './write-once-flow.ts';

type NamespaceHandlers = Pick<ControlHandlers, 'putNamespace' | 'listNamespaces' | 'deleteNamespace'>;

/** The policy in force. @throws ClusterError UNAVAILABLE when there is one that cannot be read */
export function policyOf(name: string, snapshot: ClusterSnapshot): NamespacePolicy {
  if (snapshot.unreadableNamespaces.has(name)) {
    throw new ClusterError('UNAVAILABLE', `the policy of namespace ${name} cannot be read: nothing is applied to it until it can, or is written anew`);
  }
  return snapshot.namespaces.get(name)?.value ?? DEFAULT_NAMESPACE_POLICY;
}

export function createNamespaceApi(parts: WriteParts & { readonly events: EventSink; readonly signal: AbortSignal }): NamespaceHandlers {
  return {
    async putNamespace(request, peer) {
      requireRole(peer, 'operator');
      requireName(request.name);
      const bindPrefixes = request.bindPrefixes === undefined ? undefined : [...new Set(request.bindPrefixes)].sort();
      const problem = findPrefixProblem(bindPrefixes ?? []) ?? findQuotaProblem(request.quota);
      if (problem !== undefined) {
        throw new ClusterError('INVALID_ARGUMENT', problem);
      }
      const key = buildKey({ kind: 'namespace', name: request.name });
      let drafts = 0;
      await writeOnce({ rpc: 'putNamespace', request }, parts, () => {
        drafts += 1;
        const current = parts.state.current.namespaces.get(request.name);
        const nowMs = parts.clock.nowMs();
        const base = current?.value ?? DEFAULT_NAMESPACE_POLICY;
        const value = encodeNamespace({
          name: request.name, profile: request.profile ?? base.profile, bindPrefixes: bindPrefixes ?? base.bindPrefixes,
          ...quotaAfter(base, request.quota),
          createdAtMs: current?.value.createdAtMs ?? nowMs, updatedAtMs: nowMs,
        });
        // One that cannot be read has no revision here: it is written over.
        const isUnreadable = parts.state.current.unreadableNamespaces.has(request.name);
        return {
          compares: isUnreadable ? [] : [{ kind: 'mod-revision', key, revision: current?.modRevision ?? 0 }],
          operations: [{ kind: 'put', key, value }],
          outcome: { kind: 'done' },
        };
      }, parts.signal);
      // A repeated request changed nothing.
      if (drafts > 0) parts.events.record([policyEvent(request, peer)]);
    },
    listNamespaces(peer) {
      requireRole(peer, 'operator');
      return Promise.resolve(namespaceViews(parts.state.current));
    },
    async deleteNamespace(request, peer) {
      requireRole(peer, 'operator');
      requireName(request.name);
      const key = buildKey({ kind: 'namespace', name: request.name });
      await writeOnce({ rpc: 'deleteNamespace', request }, parts, () => {
        const current = parts.state.current.namespaces.get(request.name);
        if (current === undefined) {
          throw new ClusterError('NOT_FOUND', `namespace ${request.name} has no policy of its own`);
        }
        return { compares: [{ kind: 'mod-revision', key, revision: current.modRevision }], operations: [{ kind: 'delete', key }], outcome: { kind: 'done' } };
      }, parts.signal);
    },
  };
}

/** Every namespace with a policy or an App, sorted by name. */
export function namespaceViews(snapshot: ClusterSnapshot): readonly NamespaceView[] {
  const apps = [...snapshot.apps.values()].map(({ value }) => value.namespace);
  return [...new Set([...snapshot.namespaces.keys(), ...apps])].sort().map(name => {
    const own = snapshot.namespaces.get(name)?.value;
    const { profile, bindPrefixes, quota } = own ?? DEFAULT_NAMESPACE_POLICY;
    return {
      name, profile, bindPrefixes, ...(quota === undefined ? {} : { quota }), used: asQuota(quotaUse(snapshot, name)), apps: apps.filter(namespace => namespace === name).length,
      ...(own === undefined ? {} : { updatedAtMs: own.updatedAtMs }),
    };
  });
}

/** An empty one takes the quota away. */
function quotaAfter({ quota }: NamespacePolicy, wished: NamespaceQuota | undefined): Pick<NamespacePolicy, 'quota'> {
  const after = wished ?? quota;
  return after === undefined || isEmptyQuota(after) ? {} : { quota: after };
}

function policyEvent({ name, profile, bindPrefixes, quota }: Parameters<NamespaceHandlers['putNamespace']>[0], peer: Peer): PlannedEvent {
  const words = [profile === undefined ? '' : `profile ${profile}`, bindPrefixes === undefined ? '' : `bind prefixes: ${bindPrefixes.join(' ') || 'none'}`, quota === undefined ? '' : `quota: ${formatQuota(quota) || 'none'}`];
  return {
    type: 'normal', object: 'cluster', reason: 'NamespacePolicySet',
    message: `${peer.role} ${peer.name} (${peer.address}) set namespace ${name}: ${words.filter(word => word !== '').join(', ')}`,
  };
}

function requireName(name: string): void {
  if (!isLabel(name)) {
    throw new ClusterError('INVALID_ARGUMENT', describeLabelProblem(name));
  }
}
