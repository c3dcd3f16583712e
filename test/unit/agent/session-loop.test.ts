import test from 'ava';
import { EMPTY_DESIRED_SET } from '../../../agent/assignment.ts';
import { DiskPressureError } from '../../../agent/disk-pressure.ts';
import { status } from '../../support/builders.ts';
import { acknowledge, beats, full, SessionRig as Rig, TASK, TIMES } from '../../support/session-rig.ts';

const DISK_FULL = new DiskPressureError('no space left: /state has 0 bytes and 9 inodes free');

test('a session begins with a registration that carries every status', async t => {
  const rig = new Rig();
  rig.reports.take(status(TASK), rig.clock.monotonicMs());
  const session = await rig.begin();
  t.like(session.received[0], { kind: 'register', node: 'n1', statuses: [status(TASK)] });
  rig.stop();
});

test('no beat before the registration is answered, then one each HB', async t => {
  const rig = new Rig();
  const session = await rig.begin();
  await rig.pass(2_000);
  t.is(beats(session).length, 0);
  await rig.register(session);
  await rig.pass(1_500);
  t.is(beats(session).length, 4);
  rig.stop();
});

test('each beat echoes the newest acknowledgement', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  t.is(beats(session).at(-1)?.ackEcho, 0);
  acknowledge(session);
  await rig.pass(500);
  t.is(beats(session).at(-1)?.ackEcho, 1);
  rig.stop();
});

test('a changed status is sent at once, again after HB, and no more once settled', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  rig.reports.take(status(TASK), rig.clock.monotonicMs());
  rig.loop.poke();
  await rig.pass(1);
  t.deepEqual(beats(session).at(-1)?.statuses, [status(TASK)]);
  await rig.pass(500);
  t.is(beats(session).at(-1)?.statuses.length, 1);
  acknowledge(session, [{ task: TASK.id, attempt: 1, phase: 'running' }]);
  await rig.pass(500);
  t.is(beats(session).at(-1)?.statuses.length, 0);
  rig.stop();
});

test('an assignment is foreseen while it is on its way to the disk, and in force once it is there', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  rig.isSaveFrozen = true;
  session.say({ kind: 'assignment', assignment: full(7) });
  await rig.pass(10);
  t.deepEqual([rig.foreseen.map(set => set.generation), rig.desired], [[7], []]);
  rig.stop();
});

test('an assignment is saved before it is acted on, and reported', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  session.say({ kind: 'assignment', assignment: full(7) });
  await rig.pass(10);
  t.deepEqual(rig.saved, rig.desired);
  await rig.pass(500);
  t.is(beats(session).at(-1)?.assignmentGeneration, 7);
  rig.stop();
});

test('a gap asks for a full set and changes nothing', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  session.say({ kind: 'assignment', assignment: full(7) });
  session.say({ kind: 'assignment', assignment: { kind: 'delta', epoch: 1, from: 8, generation: 9, upserts: [], removals: [TASK.id], contents: [], volumeRemovals: [] } });
  await rig.pass(10);
  t.true(session.received.some(message => message.kind === 'assignment-gap'));
  t.is(rig.desired.length, 1);
  rig.stop();
});

test('a pair below the held one is ignored', async t => {
  const rig = new Rig({ ...EMPTY_DESIRED_SET, epoch: 2, generation: 5 });
  const session = await rig.registered();
  session.say({ kind: 'assignment', assignment: full(9, 1) });
  await rig.pass(10);
  t.deepEqual(rig.desired, []);
  t.false(rig.loop.mayStart(true));
  rig.stop();
});

test('a disk that hangs stops assignments, not beats and acknowledgements', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  rig.isSaveFrozen = true;
  session.say({ kind: 'assignment', assignment: full(7) });
  for (let beat = 0; beat < 20; beat += 1) {
    acknowledge(session);
    await rig.pass(500);
  }
  t.false(session.isClosed);
  t.deepEqual(rig.desired, []);
  rig.stop();
});

test('without an acknowledgement for LOST the session is ended and the other controller dialled', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  await rig.pass(3_900);
  t.false(session.isClosed);
  await rig.pass(1_000);
  t.true(session.isClosed);
  t.deepEqual(rig.dialled, ['c1:7400', 'c2:7400']);
  rig.stop();
});

test('news is sent once the session is registered, and only to a controller that takes it', async t => {
  const rig = new Rig();
  const news = { usage: [], events: [] };
  const session = await rig.begin();
  t.false(rig.loop.sendNews(news));
  await rig.register(session);
  t.true(rig.loop.sendNews(news));
  t.is(session.received.filter(message => message.kind === 'news').length, 1);
  session.say({ kind: 'go-elsewhere', reason: 'it stops' });
  await rig.pass(1_000);
  t.false(rig.loop.sendNews(news));
  const older = rig.newest();
  await rig.register(older, {});
  t.true(rig.loop.sendNews(news));
  t.is(older.received.filter(message => message.kind === 'news').length, 0);
  rig.stop();
});

test('told to go elsewhere it dials the other controller', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  session.say({ kind: 'go-elsewhere', reason: 'no confirmed lease' });
  await rig.pass(10);
  t.true(session.isClosed);
  t.deepEqual(rig.dialled, ['c1:7400', 'c2:7400']);
  rig.stop();
});

test('a controller whose presence the cluster does not know just then is dialled all the same, where the agent was given it', async t => {
  const rig = new Rig();
  const session = await rig.begin();
  session.say({ kind: 'registered', sessionId: 's', subnetIndex: 1, times: TIMES, controllers: ['c1:7400'], joinAddresses: [], clusterId: 'k' });
  await rig.pass(10);
  session.say({ kind: 'go-elsewhere', reason: 'it stops' });
  await rig.pass(1_000);
  t.deepEqual(rig.dialled, ['c1:7400', 'c2:7400']);
  rig.stop();
});

test('a network that does not come up ends the session, and nothing of what waited behind is taken', async t => {
  const rig = new Rig();
  rig.isNetworkBroken = true;
  const session = await rig.begin();
  session.say({ kind: 'registered', sessionId: 's', subnetIndex: 1, times: TIMES, controllers: ['c1:7400', 'c2:7400'], joinAddresses: [], clusterId: 'k' });
  session.say({ kind: 'assignment', assignment: full(7) });
  session.say({ kind: 'endpoints', endpoints: { generation: 3, services: [], nodes: [] } });
  await rig.pass(10);
  t.true(session.isClosed);
  t.deepEqual([rig.saved.length, rig.desired.length, rig.endpoints], [0, 0, []]);
  rig.stop();
});

test('a refused agent starts nothing and lets its tasks run; it is told when it is accepted', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  session.say({ kind: 'assignment', assignment: full(7) });
  acknowledge(session);
  await rig.pass(10);
  t.true(rig.loop.mayStart(false));
  session.say({ kind: 'refused', code: 'PERMISSION_DENIED', message: 'another copy registered' });
  await rig.pass(10);
  t.true(session.isClosed);
  t.is(rig.desired.length, 1);
  t.is(rig.accepted, 1);
  await rig.pass(20_000);
  t.false(rig.loop.mayStart(false));
  rig.stop();
});

test('a removed node stops what it runs, also after its next start', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  session.say({ kind: 'assignment', assignment: full(7) });
  await rig.pass(10);
  session.say({ kind: 'refused', code: 'FAILED_PRECONDITION', message: 'node n1 was removed' });
  await rig.pass(10);
  t.deepEqual(rig.desired.map(set => set.tasks.size), [1, 0]);
  t.deepEqual(rig.saved.map(set => [set.generation, set.tasks.size]), [[7, 1], [7, 0]]);
  rig.stop();
});

test('first attempts need a full set; a silence of LOST takes the permit away until the next one', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  t.false(rig.loop.mayStart(true));
  session.say({ kind: 'assignment', assignment: full(7) });
  acknowledge(session);
  await rig.pass(10);
  t.true(rig.loop.mayStart(true));
  await rig.pass(5_000);
  t.false(rig.loop.mayStart(true));
  await rig.register(rig.newest());
  acknowledge(rig.newest());
  await rig.pass(10);
  t.false(rig.loop.mayStart(true));
  rig.newest().say({ kind: 'assignment', assignment: full(7) });
  await rig.pass(10);
  t.true(rig.loop.mayStart(true));
  rig.stop();
});

test('after a stall even restarts wait for a controller, for at most LOST', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  session.say({ kind: 'assignment', assignment: full(7) });
  acknowledge(session);
  await rig.pass(10);
  t.true(rig.loop.mayStart(false));
  rig.clock.stall(60_000);
  t.false(rig.loop.mayStart(false));
  await rig.pass(10);
  t.false(rig.loop.mayStart(false));
  await rig.pass(4_100);
  t.true(rig.loop.mayStart(false));
  t.false(rig.loop.mayStart(true));
  rig.stop();
});

test('messages of a newer controller do not end the session: a tunnel of a new kind is refused', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  session.say({ kind: 'unknown' });
  session.say({ kind: 'unknown', tunnelId: 't1', reason: 'tunnel.spec is missing' });
  session.say({ kind: 'assignment', assignment: full(7) });
  await rig.pass(10);
  t.like(session.received.find(({ kind }) => kind === 'tunnel-refused'), {
    tunnelId: 't1', code: 'FAILED_PRECONDITION', message: 'this agent does not know what the tunnel is for (tunnel.spec is missing); upgrade the agent of this node',
  });
  t.is(rig.loop.assignment.generation, 7);
  rig.stop();
});

test('changes of the endpoints are brought into force as sets; one that does not follow is told once, and a new session begins anew', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  t.like(session.received[0], { kind: 'register', takesEndpointChanges: true });
  const change = (from: number, generation: number): void => {
    session.say({ kind: 'endpoint-change', change: { from, generation, services: [], removedServices: [], nodes: [], removedNodes: [] } });
  };
  const gaps = (): number => session.received.filter(({ kind }) => kind === 'endpoints-gap').length;
  session.say({ kind: 'endpoints', endpoints: { generation: 12, services: [], nodes: [] } });
  change(12, 15);
  await rig.pass(10);
  t.deepEqual(rig.endpoints, [12, 15]);
  change(17, 19);
  change(19, 20);
  await rig.pass(10);
  t.deepEqual([rig.endpoints, gaps()], [[12, 15], 1]);
  session.say({ kind: 'endpoints', endpoints: { generation: 20, services: [], nodes: [] } });
  change(20, 21);
  await rig.pass(10);
  t.deepEqual([rig.endpoints, gaps()], [[12, 15, 20, 21], 1]);
  rig.stop();
});

test('the generation of applied endpoints is told at once', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  session.say({ kind: 'endpoints', endpoints: { generation: 12, services: [], nodes: [] } });
  await rig.pass(10);
  t.deepEqual(rig.endpoints, [12]);
  rig.loop.endpointsApplied(12);
  await rig.pass(10);
  t.is(beats(session).at(-1)?.endpointsGeneration, 12);
  rig.stop();
});

test('a tunnel that cannot be opened is refused with its code', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  session.say({ kind: 'open-tunnel', tunnelId: 't1', request: { task: TASK.id, spec: { kind: 'forward', port: 80 } } });
  await rig.pass(10);
  t.like(session.received.find(message => message.kind === 'tunnel-refused'), { tunnelId: 't1', code: 'NOT_FOUND' });
  rig.stop();
});

for (const [title, failure, told] of [
  ['F1: an assignment that the disk does not take', DISK_FULL, { reason: 'DiskPressure', message: 'no space left: /state has 0 bytes and 9 inodes free' }],
  ['F11: an assignment that there is no descriptor to write by', Object.assign(new Error('EMFILE: too many open files, open x'), { code: 'EMFILE' }), { reason: 'NodePressure', message: 'the agent has no more open files: EMFILE: too many open files, open x' }],
  ['an assignment that a broken disk does not take', Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' }), { reason: 'NodeTrouble', message: 'EIO: i/o error, write' }],
] as const) {
  test(`${title} is acted on once it could be written; the session goes on and the task says why it waits`, async t => {
    const rig = new Rig();
    const session = await rig.registered();
    rig.saveFailure = failure;
    session.say({ kind: 'assignment', assignment: full(7) });
    for (let beat = 0; beat < 60; beat += 1) {
      acknowledge(session);
      await rig.pass(500);
    }
    t.is(rig.sessions.length, 1);
    t.deepEqual(rig.desired, []);
    t.false(rig.loop.mayStart(true));
    t.like(beats(session).flatMap(beat => beat.statuses).at(-1), { id: TASK.id, phase: 'assigned', attempt: 0, ...told });
    t.is(beats(session).at(-1)?.assignmentGeneration, 0);
    session.say({ kind: 'assignment', assignment: { kind: 'delta', epoch: 1, from: 7, generation: 8, upserts: [], removals: [], contents: [], volumeRemovals: [] } });
    rig.saveFailure = undefined;
    acknowledge(session);
    await rig.pass(10);
    t.deepEqual(rig.desired.map(set => [set.generation, set.tasks.size]), [[8, 1]]);
    t.true(rig.loop.mayStart(true));
    await rig.pass(20_000);
    t.is(rig.saved.length, 1);
    t.deepEqual(rig.foreseen.map(set => set.generation), [7], 'not while the disk takes nothing');
    rig.stop();
  });
}

test('F1: it is offered again by itself, and a task that is withdrawn meanwhile is no longer told', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  rig.saveFailure = DISK_FULL;
  session.say({ kind: 'assignment', assignment: full(7) });
  await rig.pass(10);
  session.say({ kind: 'assignment', assignment: { kind: 'delta', epoch: 1, from: 7, generation: 8, upserts: [], removals: [TASK.id], contents: [], volumeRemovals: [] } });
  await rig.pass(10);
  t.deepEqual(rig.reports.all(0), []);
  rig.saveFailure = undefined;
  await rig.pass(3_000);
  t.deepEqual(rig.desired.map(set => [set.generation, set.tasks.size]), [[8, 0]]);
  rig.stop();
});

test('a few changes are told one by one, many share their beats', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  await rig.pass(400);
  const before = beats(session).length;
  for (let change = 1; change <= 80; change += 1) {
    rig.loop.endpointsApplied(change);
    await rig.pass(5);
    if (change === 3) t.is(beats(session).length - before, 3);
  }
  const told = beats(session).length - before;
  t.true(told >= 45 && told <= 65, String(told));
  t.is(beats(session).at(-1)?.endpointsGeneration, 80);
  rig.stop();
});

test('a registration tells the newest revision that was heard of', async t => {
  t.like((await new Rig({ ...EMPTY_DESIRED_SET, epoch: 7, generation: 5 }).begin()).received[0], { knownRevision: 7 });
  t.like((await new Rig({ ...EMPTY_DESIRED_SET, epoch: 7, generation: 12 }).begin()).received[0], { knownRevision: 12 });
});

test('what became of volumes is told in a heartbeat at once, and in each until the assignment names them no more', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  const before = beats(session).length;
  const answers = { removedVolumes: ['default/data'], keptVolumes: [{ name: 'default/new', fence: 9 }] };
  rig.volumeAnswers = answers;
  rig.loop.poke();
  await rig.pass(10);
  await rig.pass(TIMES.heartbeatMs);
  t.deepEqual(beats(session).slice(before).map(({ removedVolumes, keptVolumes }) => ({ removedVolumes, keptVolumes })), [answers, answers]);
  rig.stop();
});
