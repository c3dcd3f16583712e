import test from 'ava';
import { decidedOf, formatRecordLine, parseRecordLine } from '../../../controller/decision-record.ts';
import { NO_EVIDENCE } from '../../../controller/reconcile/node-plan.ts';
import { TEST_TIMES } from '#model/times.ts';
import { parseNodeId, parseTaskId } from '#model/ids.ts';

test('bytes and maps come back as they were, from a Buffer too', t => {
  const entry = { key: '/gantry/v1/nodes/n1', createRevision: 1, modRevision: 2 };
  const line = { kind: 'list', list: { etcdRevision: 2, entries: [{ ...entry, value: new Uint8Array([0, 255]) }, { ...entry, value: Buffer.from('x') }] } } as const;
  const text = formatRecordLine(line);
  t.is(text.split('\n').length, 2);
  t.deepEqual(parseRecordLine(text), { kind: 'list', list: { etcdRevision: 2, entries: [{ ...entry, value: new Uint8Array([0, 255]) }, { ...entry, value: new Uint8Array([120]) }] } });
  const evidence = { ...NO_EVIDENCE, absences: new Map([[parseNodeId('n1'), { cause: 'silent', sinceMs: 0.25 } as const]]) };
  const decision = { kind: 'nodes', evidence, context: { monotonicMs: 1.5, times: TEST_TIMES }, decided: { sha256: '', text: '' } } as const;
  t.deepEqual(parseRecordLine(formatRecordLine(decision)), decision);
});

test('what is no line of a record is refused', t => {
  for (const text of ['', '{"kind":', '7', 'null', '{}']) {
    t.throws(() => parseRecordLine(text), { instanceOf: SyntaxError }, text);
  }
});

test('a decision is told by its actions, and known by all of it', t => {
  const plan = (reason: string) => ({ actions: [{ kind: 'stop-task', taskId: parseTaskId('aaaaaaaaaaaa'), reason } as const], events: [] });
  t.is(decidedOf(plan('rollout')).text, 'stop-task (rollout)');
  t.is(decidedOf(plan('rollout')).sha256, decidedOf(plan('rollout')).sha256);
  t.not(decidedOf(plan('rollout')).sha256, decidedOf({ ...plan('rollout'), wakeAtMs: 1 }).sha256);
});
