import test from 'ava';
import { container, service, task as makeTask, taskId } from '../../../support/builders.ts';
import { DIGEST } from '../../../support/fake-node.ts';
import { Rig, setOf } from '../../../support/task-rig.ts';

for (const [what, pullPolicy] of [['in each attempt', undefined], ['with pull_policy never', 'never']] as const) {
  test(`a private image that another namespace brought onto the node is not used, ${what}`, async t => {
    const rig = new Rig();
    rig.node.imageRefusedTo.add('default');
    const wanted = container({ digest: DIGEST, ...(pullPolicy === undefined ? {} : { pullPolicy }) });
    await rig.begin(setOf(makeTask(service(), 'n1', { id: taskId('ta'), container: wanted })));
    await rig.pass(20_000);
    t.true((rig.node.lastStatus()?.attempt ?? 0) > 1);
    t.deepEqual(rig.node.running(), []);
    t.false(rig.node.statuses.some(status => status.phase === 'running'));
    rig.kill();
  });
}
