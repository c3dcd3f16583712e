import test from 'ava';
import { someTasks } from '#model/task-count.ts';

test('one task is not counted', t => {
  t.is(someTasks(1, 1), 'its task');
  t.is(someTasks(1, 2), '1 of 2 tasks');
});
