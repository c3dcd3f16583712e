import test from 'ava';
import { wantedSlots } from '../../../../controller/reconcile/wanted-slots.ts';
import { serviceState } from '../../../../controller/reconcile/task-row.ts';
import { node, service, serviceStatus, snapshot, task } from '../../../support/builders.ts';
import type { NodeOptions } from '../../../support/builders.ts';

test('replicas are slots from 0', t => {
  const web = service({ replicas: 2 });
  const state = snapshot({ services: [web] });
  t.deepEqual(wantedSlots(state, serviceState(state, web.id)!), [{ slot: 0 }, { slot: 1 }]);
});

const agent = service({ kind: 'global', placement: { tolerate: ['spot'], require: [{ label: 'os', operator: '==', values: ['linux'] }] } });
const wants = test.macro({
  exec(t, options: NodeOptions, whenEmpty: boolean, whenThere: boolean) {
    const nodes = [node('n7', options)];
    const counts = [[], [task(agent, 'n7', { slot: 7 })]].map(tasks => {
      const state = snapshot({ services: [agent], nodes, tasks });
      return wantedSlots(state, serviceState(state, agent.id)!).map(one => `${one.node ?? ''}=${String(one.slot)}`);
    });
    t.deepEqual(counts, [whenEmpty ? ['n7=7'] : [], whenThere ? ['n7=7'] : []]);
  },
  title: (name = '') => `global on a node that is ${name}`,
});
test('ready', wants, {}, true, true);
test('silent', wants, { condition: 'silent' }, false, true);
test('lost', wants, { condition: 'lost' }, false, true);
test('cordoned', wants, { availability: 'cordoned' }, false, true);
test('draining', wants, { availability: 'draining' }, false, false);
test('tainted, and tolerated', wants, { taints: ['spot'] }, true, true);
test('tainted, and not tolerated', wants, { taints: ['gpu'] }, false, true);
test('without the label', wants, { labels: { os: 'other' } }, false, true);
test('without the runtime', wants, { runtimes: [] }, false, true);

const outdated = test.macro({
  exec(t, options: NodeOptions, isWanted: boolean) {
    const next = { ...agent, revision: 2, templateHash: 'hash-2' };
    const state = snapshot({ services: [next], nodes: [node('n7', options)], tasks: [task(agent, 'n7', { slot: 7 })] });
    t.is(wantedSlots(state, serviceState(state, next.id)!).length, isWanted ? 1 : 0);
  },
  title: (name = '') => `global, updated, with its old task on a node that is ${name}`,
});
test('ready', outdated, {}, true);
test('silent, lost or cordoned: it may come back', outdated, { condition: 'lost', availability: 'cordoned' }, true);
test('not for the update', outdated, { labels: { os: 'other' } }, false);

test('a cron wants no tasks: its runs do', t => {
  const cron = service({ kind: 'cron', replicas: 2 });
  const state = snapshot({ services: [cron] });
  t.deepEqual(wantedSlots(state, serviceState(state, cron.id)!), []);
});

test('a job that ended well wants only completions that are new, and all of them for another template', t => {
  const job = service({ kind: 'job', replicas: 3 });
  const of = (templateHash: string) => {
    const state = snapshot({ services: [job], serviceStatuses: [serviceStatus(job, { job: { templateHash, completions: 2, endedAtMs: 0 } })] });
    return wantedSlots(state, serviceState(state, job.id)!).map(one => one.slot);
  };
  t.deepEqual(of(job.templateHash), [2]);
  t.deepEqual(of('older'), [0, 1, 2]);
});
