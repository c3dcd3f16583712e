/** What needs no kernel, held to the same promises as what does (`test/integration/cgroups.test.ts`); here every single write is known. */
import test from 'ava';
import type { Limits } from '#model/resources.ts';
import { CgroupFs } from '../../agent/cgroup/cgroup-fs.ts';
import { MIB } from '../support/builders.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeGroupTree } from '../support/fake-group-tree.ts';
import { golden } from '../support/golden.ts';
import { cgroupsContract, ONE } from './cgroups-contract.ts';
import type { CgroupsUnderTest } from './cgroups-contract.ts';

const DISK = '254:0';
const OUTSIDER = 99;
const LEAST: Limits = { memoryBytes: 64 * MIB, pids: 64 };
const ALL: Limits = {
  milliCpu: 1500, memoryBytes: 64 * MIB, pids: 64, cpuset: '0-1', swapBytes: 32 * MIB,
  io: { weight: 500, readBps: 10 * MIB, writeBps: 5 * MIB, readIops: 1000, writeIops: 500 }, hugepages: [{ pageBytes: 2 * MIB, bytes: 8 * MIB }],
};

interface FakeSubject extends CgroupsUnderTest {
  readonly tree: FakeGroupTree;
  readonly clock: FakeClock;
}

function makeSubject(version: 1 | 2): FakeSubject {
  const tree = new FakeGroupTree(version);
  const clock = new FakeClock();
  const onDisk = (disk: string): CgroupFs => new CgroupFs('gantry-t', clock, { layout: tree.layout, files: tree, disk });
  const cgroups = onDisk(DISK);
  let lastPid = 100;
  tree.make('/gantry-t');
  tree.make('/else');
  tree.enter('/else', OUTSIDER);
  return {
    version, tree, clock, cgroups, onDisk, disk: DISK, outsider: OUTSIDER, mayLack: [],
    enter: async id => {
      lastPid += 1;
      tree.make(cgroups.pathFor(id));
      tree.enter(cgroups.pathFor(id), lastPid);
      return await Promise.resolve(lastPid);
    },
    read: (id, controller, file) => tree.read(`${tree.layout.roots.get(controller) ?? ''}${cgroups.pathFor(id)}/${file}`),
    readTask: (id, controller, file) => tree.read(`${tree.layout.roots.get(controller) ?? ''}${cgroups.pathFor(id).replace(/\/[^/]+$/, '')}/${file}`),
    isAlive: pid => tree.isAlive(pid),
    standsStill: async pid => await Promise.resolve(tree.standsStill(pid)),
  };
}

/** Lets time pass until the work is done. */
async function passing(clock: FakeClock, work: Promise<void>): Promise<void> {
  const progress = { isDone: false };
  const ended = work.finally(() => { progress.isDone = true; });
  ended.catch(() => { /* told below */ });
  while (!progress.isDone) await clock.advance(10);
  await ended;
}

for (const version of [1, 2] as const) {
  const what = `v${String(version)} on a fake tree`;
  cgroupsContract(test, what, async (_t, body) => {
    const subject = makeSubject(version);
    await passing(subject.clock, body(subject));
  });

  test(`Cgroups, ${what}: every write of a start with all limits, of taking them away, of a pause and of the end`, async t => {
    const { cgroups, tree, clock, enter } = makeSubject(version);
    await enter(ONE);
    const resources = { requests: { milliCpu: 250, memoryBytes: 32 * MIB }, limits: ALL };
    t.deepEqual(await cgroups.limit(ONE, resources), []);
    await cgroups.limit(ONE, { ...resources, limits: LEAST }, resources);
    await cgroups.freeze(ONE);
    await passing(clock, cgroups.killAll(ONE));
    golden(t, `cgroup/v${String(version)}-written.txt`, tree.writes.map(line => `${line.replace('gantry-t/aaaaaaaaaaaa/gantry-aaaaaaaaaaaa-1', 'C')}\n`).join(''));
  });

  test(`Cgroups, ${what}: memory below what is in use is refused before the kernel is asked`, async t => {
    const { cgroups, tree, enter } = makeSubject(version);
    await enter(ONE);
    const before = { requests: { milliCpu: 1, memoryBytes: MIB }, limits: LEAST };
    await cgroups.limit(ONE, before);
    tree.set(`/cgroup/${version === 1 ? 'memory' : ''}${cgroups.pathFor(ONE)}/${version === 1 ? 'memory.usage_in_bytes' : 'memory.current'}`.replace('//', '/'), String(40 * MIB));
    const writes = tree.writes.length;
    await t.throwsAsync(cgroups.limit(ONE, { ...before, limits: { ...LEAST, memoryBytes: 16 * MIB } }, before), { message: /below the 40Mi in use/ });
    t.is(tree.writes.length, writes);
  });

  test(`Cgroups, ${what}: what does not stand still is told, and all of it runs on`, async t => {
    const { cgroups, tree, clock, enter } = makeSubject(version);
    tree.restless.add(await enter(ONE));
    await t.throwsAsync(passing(clock, cgroups.freeze(ONE)), { message: /does not stand still/ });
    t.regex(tree.writes.at(-1) ?? '', /freezer\.state = THAWED|cgroup\.freeze = 0/);
  });

  if (version === 1) {
    test(`Cgroups, ${what}: what the runtime left in plain directories is listed, and goes with its container, its task and its node`, async t => {
      const { cgroups, tree } = makeSubject(version);
      const [one, two, lost] = ['gantry-aaaaaaaaaaaa-1', 'gantry-aaaaaaaaaaaa-2', 'gantry-bbbbbbbbbbbb-1'] as const;
      const fileOf = (id: string): string => `/plain${cgroups.pathFor(id)}/cgroup.procs`;
      tree.plain.clear();
      tree.plain.add('/plain/else/file');
      tree.make(cgroups.pathFor(one));
      tree.make(cgroups.pathFor(two));
      tree.plain.add(fileOf(lost));
      await cgroups.remove(one);
      t.deepEqual([...tree.plain], ['/plain/else/file', fileOf(two), fileOf(lost)]);
      t.deepEqual(await cgroups.list(), [two, lost]);
      await cgroups.remove(two);
      await cgroups.removeParent();
      t.deepEqual([...tree.plain], ['/plain/else/file']);
    });

    test(`Cgroups, ${what}: what is stuck between running and standing still is let go on and stopped once more`, async t => {
      const { cgroups, tree, clock, enter } = makeSubject(version);
      const pid = await enter(ONE);
      tree.restless.add(pid);
      const freezing = passing(clock, cgroups.freeze(ONE));
      while (!tree.writes.some(line => line.endsWith('freezer.state = THAWED'))) await clock.advance(10);
      tree.restless.delete(pid);
      await freezing;
      t.true(tree.standsStill(pid));
    });
  }

  test(`Cgroups, ${what}: the agent moves itself to where it is only where moves wait for all processors`, async t => {
    const { cgroups, tree } = makeSubject(version);
    tree.make('/agents');
    cgroups.expectMove();
    await Promise.resolve();
    t.deepEqual(tree.writes, version === 1 ? [`pids/agents/cgroup.procs = ${String(process.pid)}`] : []);
  });
}
