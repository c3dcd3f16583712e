/** More of a namespace's quota, as far as what waits needs it. */
import { formatQuota } from '#model/quota.ts';
import type { NamespaceQuota } from '#model/namespace.ts';
import type { Blocked } from './blocked.ts';
import type { Candidate } from './candidate.ts';
import { asQuota, countUse, quotaUse } from './quota.ts';

/** The quota as `clusterctl namespace set --quota` takes it: what it limits is at least what is used and what waits. */
export function raisedQuota({ snapshot, service, slots }: Blocked): readonly Candidate[] {
  const { namespace } = service;
  const record = snapshot.namespaces.get(namespace);
  const quota = record?.value.quota;
  if (record === undefined || quota === undefined) {
    return [];
  }
  const use = quotaUse(snapshot, namespace);
  countUse(use, service.spec, slots.length);
  const raised = atLeast(quota, asQuota(use));
  const value = formatQuota(raised);
  const namespaces = new Map(snapshot.namespaces).set(namespace, { ...record, value: { ...record.value, quota: raised } });
  return [{
    service, snapshot: { ...snapshot, namespaces },
    fix: {
      sentence: `raise the quota of namespace ${namespace} to ${value}`, edit: { kind: 'field', path: `namespaces.${namespace}.quota`, value },
      command: `clusterctl namespace set ${namespace} --quota ${value}`,
    },
  }];
}

/** What is not limited stays so. */
function atLeast(quota: NamespaceQuota, need: NamespaceQuota): NamespaceQuota {
  const most = (limit: number | undefined, needed = 0): number | undefined => (limit === undefined ? undefined : Math.max(limit, needed));
  const [milliCpu, memoryBytes, tasks] = [most(quota.milliCpu, need.milliCpu), most(quota.memoryBytes, need.memoryBytes), most(quota.tasks, need.tasks)];
  return {
    ...(milliCpu === undefined ? {} : { milliCpu }), ...(memoryBytes === undefined ? {} : { memoryBytes }), ...(tasks === undefined ? {} : { tasks }),
    devices: quota.devices.map(({ name, count }) => ({ name, count: Math.max(count, need.devices.find(one => one.name === name)?.count ?? 0) })),
  };
}
