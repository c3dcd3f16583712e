import test from 'ava';
import { containerId, parseContainerId } from '../../../../agent/task/names.ts';
import { taskId } from '../../../support/builders.ts';

test('a container id names task and attempt, both ways', t => {
  const id = containerId(taskId('web'), 12);
  t.is(id, 'gantry-webaaaaaaaaa-12');
  t.deepEqual(parseContainerId(id), { task: taskId('web'), attempt: 12 });
});

for (const text of ['', 'gantry-web-1', 'gantry-webaaaaaaaaa-0', 'gantry-webaaaaaaaaa-', 'gantry-webaaaaaaaaa-1x', 'x-webaaaaaaaaa-1', 'gantry-webaaaaaaaaa-01', '..']) {
  test(`${JSON.stringify(text)} is no name of ours`, t => {
    t.is(parseContainerId(text), undefined);
  });
}
