import test from 'ava';
import { taskCodec, taskStatusCodec } from '#codec/task-codec.ts';
import * as wire from '#gen/gantry/v1/types.ts';
import type { Task, TaskExit, TaskStatus } from '#model/task.ts';
import type { Carried } from '../../../support/round-trip.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { task, taskStatus } from '../../../support/wire-arbitraries.ts';

export const carried: [
  Carried<Task, wire.Task, 'serviceId' | 'notUnderstood'>, Carried<TaskStatus, wire.TaskStatus>, Carried<TaskExit, wire.TaskExit>,
] = [true, true, true];

testRoundTrip('task', taskCodec, wire.Task, task);
testRoundTrip('task status', taskStatusCodec, wire.TaskStatus, taskStatus);

test('an unknown exit code is not 0', t => {
  const status: wire.TaskStatus = {
    id: 'abcdefghijkl', node: 'n1', attempt: 1, phase: wire.Phase.PHASE_FAILED, health: wire.Health.HEALTH_NONE, reason: '', message: '', restarts: 0, isPaused: false,
    lastExit: { attempt: 1, code: undefined, reason: 'exit-unknown', finishedAtMs: 5, hadChildOom: false }, companions: [],
  };
  t.is(taskStatusCodec.fromWire(status).lastExit?.code, null);
});

test('an id that is no task id is refused', t => {
  t.throws(() => taskStatusCodec.fromWire(wire.TaskStatus.decode(new Uint8Array())), { instanceOf: RangeError });
});
