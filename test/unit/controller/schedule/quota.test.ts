import test from 'ava';
import { Quotas, asQuota, quotaGap, quotaUse } from '../../../../controller/schedule/quota.ts';
import { failed, resources, service, snapshot, status, task } from '../../../support/builders.ts';

const web = service({ container: { requests: resources(100, 10), deviceRequests: [{ name: 'gpu', count: 1, milli: 500 }] } });
const [one, two, ended] = [task(web, 'n1'), task(web, 'n9', { slot: 1 }), task(web, 'n1', { slot: 2 })] as const;
const state = snapshot({ services: [web], tasks: [one, two, ended], statuses: [status(one), failed(ended)] });
const use = quotaUse(state, 'default');

test('every unfinished task of the namespace counts, wherever it is', t => {
  t.deepEqual(asQuota(use), { ...resources(200, 20), tasks: 2, devices: [{ name: 'gpu', count: 1 }] });
  t.deepEqual(asQuota(quotaUse(state, 'other')), { ...resources(0, 0), tasks: 0, devices: [] });
});

test('the first amount that does not suffice is named; exactly full is no gap', t => {
  t.is(quotaGap({ tasks: 3, milliCpu: 300, devices: [{ name: 'gpu', count: 2 }] }, use, web), undefined);
  t.deepEqual(quotaGap({ tasks: 2, devices: [] }, use, web), { namespace: 'default', resource: 'tasks', need: 1, free: 0, limit: 2 });
  t.like(quotaGap({ milliCpu: 299, devices: [] }, use, web), { resource: 'cpu', need: 100, free: 99 });
  t.like(quotaGap({ devices: [{ name: 'gpu', count: 1 }] }, use, web), { resource: 'device gpu', need: 500, free: 0 });
});

test('what a call places counts', t => {
  const namespace = { name: 'default', profile: 'baseline', bindPrefixes: [], quota: { tasks: 3, devices: [] }, createdAtMs: 0, updatedAtMs: 0 } as const;
  const quotas = new Quotas({ ...state, namespaces: new Map([['default', { value: namespace, createRevision: 1, modRevision: 1 }]]) });
  t.is(quotas.gap(web), undefined);
  quotas.count(web, 1);
  t.like(quotas.gap(web), { resource: 'tasks' });
  quotas.count(web, -1);
  t.is(quotas.gap(web), undefined);
  t.is(new Quotas(state).gap(web), undefined);
});
