import test from 'ava';
import { parseQuota } from '#model/quota.ts';
import { findBlocked } from '../../../../controller/schedule/blocked.ts';
import { raisedQuota } from '../../../../controller/schedule/fix-quota.ts';
import { node, resources, service, snapshot, T0, task } from '../../../support/builders.ts';

const web = service({ container: { requests: resources(500, 1_537), deviceRequests: [{ name: 'acme.com/gpu', count: 1 }] } });
const nodes = [node('n1', { policy: { bindPrefixes: [], devicePaths: [], allowsPrivileged: false, devices: [{ name: 'acme.com/gpu', count: 4 }] }, capacity: resources(4_000, 16_384) })];

function editOf(text: string): unknown {
  const parsed = parseQuota(text);
  if ('problem' in parsed) throw new Error(parsed.problem);
  const value = { name: 'default', profile: 'baseline', bindPrefixes: [], quota: parsed.value, createdAtMs: T0, updatedAtMs: T0 } as const;
  const state = { ...snapshot({ nodes, services: [web], tasks: [task(web, 'n1')] }), namespaces: new Map([['default', { value, createRevision: 1, modRevision: 1 }]]) };
  const blocked = findBlocked(state, web, [{ slot: 1 }, { slot: 2 }]);
  return blocked === undefined ? undefined : raisedQuota(blocked).map(({ fix: { edit, command } }) => ({ ...edit, command }));
}

const raisedTo = (value: string): unknown => ({ kind: 'field', path: 'namespaces.default.quota', value, command: `clusterctl namespace set default --quota ${value}` });
test('each limit is at least what is used and what waits; what has none gets none; larger ones stay', t => {
  t.deepEqual(editOf('cpus=1,tasks=9'), [raisedTo('cpus=1.5,tasks=9')]);
  t.deepEqual(editOf('memory=1Gi,acme.com/gpu=1'), [raisedTo('memory=4611Mi,acme.com/gpu=3')]);
});
test('no quota, no such fix', t => {
  const blocked = findBlocked(snapshot({ services: [web] }), web, [{ slot: 0 }]);
  t.deepEqual(blocked === undefined ? undefined : raisedQuota(blocked), []);
});
