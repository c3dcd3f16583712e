import test from 'ava';
import { container, service, task } from '../../../support/builders.ts';
import { DIGEST } from '../../../support/fake-node.ts';
import { Rig, setOf } from '../../../support/task-rig.ts';

test('a task with values of a newer controller is not started, and its status says what is to be done', async t => {
  const restart = { mode: 'never', maxAttempts: 1, windowMs: 1, delayMs: 1 } as const;
  const rig = new Rig();
  await rig.begin(setOf(task(service(), 'n1', { container: container({ digest: DIGEST, restart }), notUnderstood: ['protocol 9'] })));
  const message = 'the task has values that this agent does not know: protocol 9; upgrade the agent of this node';
  t.like(rig.node.lastStatus(), { phase: 'failed', reason: 'NotUnderstood', message });
  t.deepEqual(rig.node.leftovers(), []);
  rig.kill();
});
