import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import type { NamespaceQuota } from '#model/namespace.ts';
import type { Resources } from '#model/resources.ts';
import type { Task } from '#model/task.ts';
import { GrowthRoom } from '../../../../controller/schedule/growth.ts';
import { container, node, resources, service, serviceStatus, snapshot, T0, task } from '../../../support/builders.ts';

const web = service({ container: { requests: resources(500, 512) } });
const [one, two] = [task(web, 'n1'), task(web, 'n1', { slot: 1 })];
const n1 = node('n1', { capacity: resources(2_000, 2_048), pids: 100 });
const asking = (of: Task, requests: Resources, cpuset?: string): Task => ({ ...of, container: container({ requests, limits: { memoryBytes: 1, pids: 1, ...(cpuset === undefined ? {} : { cpuset }) } }) });

function room(quota?: NamespaceQuota, urgentCpu?: number): GrowthRoom {
  const urgent = service({ name: 'db', placement: { priority: 5 }, container: { requests: resources(urgentCpu ?? 0, 1) } });
  const waiting = urgentCpu === undefined ? [] : [serviceStatus(urgent, { pending: [{ slot: 0, reason: '', node: parseNodeId('n1') }] })];
  const state = snapshot({ nodes: [n1], services: [web, urgent], tasks: [one, two], serviceStatuses: waiting });
  const value = { name: 'default', profile: 'baseline', bindPrefixes: [], ...(quota === undefined ? {} : { quota }), createdAtMs: T0, updatedAtMs: T0 } as const;
  return new GrowthRoom({ ...state, namespaces: new Map([['default', { value, createRevision: 1, modRevision: 1 }]]) }, web);
}

test('up to what the node has left; what one gets the next does not', t => {
  const growth = room();
  t.is(growth.grant(one, asking(one, resources(1_001, 512))), undefined);
  t.is(growth.grant(two, asking(two, resources(1_000, 512))), 'n1 has no room for it');
  t.is(growth.grant(two, asking(two, resources(999, 512))), undefined);
});
test('processes count, as the node says where its capacity does not', t => {
  t.is(room().grant(one, asking(one, { ...resources(500, 512), pids: 101 })), 'n1 has no room for it');
  t.is(room().grant(one, asking(one, { ...resources(500, 512), pids: 100 })), undefined);
});
test('room that is being made for a service of more priority is not for it', t => {
  t.is(room(undefined, 900).grant(one, asking(one, resources(601, 512))), 'n1 has no room for it');
  t.is(room(undefined, 900).grant(one, asking(one, resources(600, 512))), undefined);
});
test('the quota of the namespace, of which only the difference is needed', t => {
  const quota = { milliCpu: 1_100, devices: [] };
  t.regex(room(quota).grant(one, asking(one, resources(601, 512))) ?? '', /^the quota of namespace default is used up: cpu: need 0.101 cpu, left 0.1 cpu of 1.1 cpu/);
  const growth = room(quota);
  t.is(growth.grant(one, asking(one, resources(600, 512))), undefined);
  t.regex(growth.grant(two, asking(two, resources(501, 512))) ?? '', /left 0 cpu/);
});
test('less always fits, beyond the quota and on a full node too', t => {
  t.is(room({ milliCpu: 10, devices: [] }, 9_000).grant(one, asking(one, resources(400, 100))), undefined);
});
test('a cpu that is not there; a node that is not', t => {
  t.is(room().grant(one, asking(one, resources(500, 512), '7')), 'n1 has no cpu 7');
  t.is(room().grant(task(web, 'n9'), one), 'node n9 is not there any more');
});
test('huge pages of a size that the node cannot limit are refused', t => {
  const hugepages = [{ pageBytes: 2 ** 21, bytes: 2 ** 21 }];
  const next = { ...one, container: container({ limits: { memoryBytes: 1, pids: 1, hugepages } }) };
  const state = (sizes: readonly number[]) => new GrowthRoom(snapshot({ nodes: [{ ...n1, hugepageSizes: { bytes: sizes } }], services: [web], tasks: [one] }), web);
  t.is(state([]).grant(one, next), 'n1 cannot limit huge pages of 2Mi');
  t.is(state([2 ** 21]).grant(one, next), undefined);
});
