import test from 'ava';
import { acknowledge, beats, full, SessionRig as Rig } from '../../support/session-rig.ts';

test('a task that is exclusive may run on from the sending of a heartbeat that was acknowledged and showed both directions', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  t.true(rig.loop.untilCutOffMs(3_000) <= 0);
  acknowledge(session);
  await rig.pass(10);
  const [first] = rig.heardUptimes;
  t.is(rig.loop.untilCutOffMs(3_000), 2_980);
  // Two more beats, of which the newer one is acknowledged: it does not show that the acknowledgement before it came.
  await rig.pass(1_000);
  acknowledge(session);
  await rig.pass(10);
  t.deepEqual(rig.heardUptimes.map(atMs => atMs - (first ?? 0)), [0]);
  await rig.pass(500);
  acknowledge(session);
  await rig.pass(10);
  t.is(rig.heardUptimes.length, 2);
  rig.stop();
});

test('a restart of an exclusive task waits for the full set of a new session, once nothing was heard for LOST', async t => {
  const rig = new Rig();
  const session = await rig.registered();
  session.say({ kind: 'assignment', assignment: full(7) });
  acknowledge(session);
  await rig.pass(10);
  t.true(rig.loop.mayStart(false, 10_000));
  await rig.pass(5_000);
  t.true(rig.loop.mayStart(false));
  t.false(rig.loop.mayStart(false, 10_000));
  await rig.register(rig.newest());
  acknowledge(rig.newest());
  await rig.pass(10);
  t.false(rig.loop.mayStart(false, 10_000));
  rig.newest().say({ kind: 'assignment', assignment: full(8) });
  await rig.pass(10);
  t.true(rig.loop.mayStart(false, 10_000));
  rig.stop();
});

test('a heartbeat says that the deadman came, and the session stays open', async t => {
  const rig = new Rig();
  rig.hasDeadman = false;
  const session = await rig.registered();
  t.like(session.received[0], { kind: 'register', hasDeadman: false });
  t.deepEqual(rig.loop.health, { hasDeadman: false, networkFault: '', listeningPorts: [] });
  t.deepEqual(beats(session).at(-1)?.health, { hasDeadman: false, networkFault: '', listeningPorts: [] });
  acknowledge(session);
  rig.loop.healthChanged({ hasDeadman: true });
  await rig.pass(10);
  t.deepEqual(beats(session).at(-1)?.health, { hasDeadman: true, networkFault: '', listeningPorts: [] });
  rig.loop.healthChanged({ networkFault: 'no vxlan' });
  await rig.pass(10);
  t.deepEqual(beats(session).at(-1)?.health, { hasDeadman: true, networkFault: 'no vxlan', listeningPorts: [] });
  t.false(session.isClosed);
  t.is(rig.dialled.length, 1);
  rig.stop();
});

test('an older controller gets a new registration when the deadman came, also while the first one is under way', async t => {
  const rig = new Rig();
  rig.hasDeadman = false;
  const session = await rig.begin();
  rig.hasDeadman = true;
  rig.loop.healthChanged({ hasDeadman: true });
  await rig.pass(10);
  t.false(session.isClosed);
  await rig.register(session, {});
  t.true(session.isClosed);
  t.false(beats(session).some(beat => 'health' in beat));
  await rig.pass(1_000);
  t.like(rig.newest().received[0], { kind: 'register', hasDeadman: true });
  await rig.register(rig.newest(), {});
  await rig.pass(1_000);
  t.false(rig.newest().isClosed);
  rig.stop();
});
