import test from 'ava';
import { previewWarnings } from '../../../../controller/api/apply-preview.ts';
import { node, resources, service, snapshot, status, task, taskId } from '../../../support/builders.ts';

const big = service({ replicas: 3, container: { requests: resources(2_000, 64) } });

test('what fits nowhere now is counted with its reason', t => {
  const [warning] = previewWarnings(snapshot({ nodes: [node('n1')] }), [big]);
  t.regex(warning ?? '', /^service web: 1 of 3 tasks cannot be placed now: .*cpu/);
  const [only] = previewWarnings(snapshot({ nodes: [] }), [{ ...big, spec: { ...big.spec, replicas: 1 } }]);
  t.regex(only ?? '', /^service web: its task cannot be placed now: /);
});

test('what fits, what is there already, what goes and what is everywhere warn of nothing', t => {
  t.deepEqual(previewWarnings(snapshot({ nodes: [node('n1'), node('n2')] }), [big]), []);
  t.deepEqual(previewWarnings(snapshot({ services: [big], nodes: [node('n1')], tasks: [task(big, 'n1', { slot: 0 })] }), [{ ...big, spec: { ...big.spec, replicas: 1 } }]), []);
  t.deepEqual(previewWarnings(snapshot(), [{ ...big, isDeleting: true }, service({ kind: 'global' })]), []);
});

test('room that tasks of lower priority make, or that the apply itself frees, warns of nothing', t => {
  const low = service({ name: 'low', replicas: 1, container: { requests: resources(3_000, 64) } });
  const state = snapshot({ nodes: [node('n1')], services: [low], tasks: [task(low, 'n1')], statuses: [status(task(low, 'n1'))] });
  const one = { ...big, spec: { ...big.spec, replicas: 1 } };
  t.regex(previewWarnings(state, [one])[0] ?? '', /^service web: its task cannot be placed now/);
  t.deepEqual(previewWarnings(state, [{ ...one, spec: { ...one.spec, placement: { ...one.spec.placement, priority: 7 } } }]), []);
  t.deepEqual(previewWarnings(state, [{ ...low, isDeleting: true }, one]), []);
});

test('slots whose task ended or is replaced wait too; a job that takes turns needs room for its turn alone', t => {
  const one = { ...big, spec: { ...big.spec, replicas: 1 } };
  const ended = task(one, 'n1', { desired: 'stop' });
  const full = service({ name: 'full', replicas: 1, container: { requests: resources(3_000, 64) } });
  const gone = snapshot({ nodes: [node('n1')], services: [one, full], tasks: [ended, task(full, 'n1', { id: taskId('ff') })], statuses: [status(ended, { phase: 'complete' })] });
  t.regex(previewWarnings(gone, [one])[0] ?? '', /^service web: its task cannot be placed now/);
  const here = snapshot({ nodes: [node('n1')], services: [one], tasks: [task(one, 'n1')], statuses: [status(task(one, 'n1'))] });
  const bigger = service({ replicas: 1, revision: 2, templateHash: 'hash-2', container: { requests: resources(9_000, 64) } });
  t.regex(previewWarnings(here, [bigger])[0] ?? '', /^service web: its task cannot be placed now/);
  const recreated = service({ replicas: 1, revision: 2, templateHash: 'hash-2', update: { maxSurge: 0, maxUnavailable: 1 }, container: { requests: resources(3_000, 64) } });
  t.deepEqual(previewWarnings(here, [recreated]), []);
  const job = service({ name: 'job', kind: 'job', replicas: 9, job: { retries: 0, parallelism: 1 }, container: { requests: resources(2_000, 64) } });
  t.deepEqual(previewWarnings(snapshot({ nodes: [node('n1')] }), [job]), []);
});
