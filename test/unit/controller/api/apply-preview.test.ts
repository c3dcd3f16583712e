import test from 'ava';
import { previewWarnings } from '../../../../controller/api/apply-preview.ts';
import { node, resources, service, snapshot, task } from '../../../support/builders.ts';

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
