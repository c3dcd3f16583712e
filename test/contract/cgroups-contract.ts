import type { ExecutionContext, TestFn } from 'ava';
import type { TaskResources } from '#model/resources.ts';
import type { CgroupFs } from '../../agent/cgroup/cgroup-fs.ts';
import { MIB } from '../support/builders.ts';

/** Containers of one task, and one of another. */
export const ONE = 'gantry-aaaaaaaaaaaa-1';
export const BESIDE = 'gantry-aaaaaaaaaaaa-1-c0-1';
export const OTHER = 'gantry-bbbbbbbbbbbb-1';

export interface CgroupsUnderTest {
  readonly version: 1 | 2;
  readonly cgroups: CgroupFs;
  /** The same groups, held by another that thinks its disk is `major:minor`. */
  readonly onDisk: (disk: string) => CgroupFs;
  /** A disk that is there. */
  readonly disk: string;
  /** Makes the group of a container as a runtime does, in every hierarchy, with a process in it. @returns the process */
  readonly enter: (id: string) => Promise<number>;
  /** A process in no group of ours. */
  readonly outsider: number;
  /** Text of a file of the group, by controller and name; undefined where it is not there. */
  readonly read: (id: string, controller: string, file: string) => string | undefined;
  /** The same of the group of the container's task. */
  readonly readTask: (id: string, controller: string, file: string) => string | undefined;
  /** Files that no machine of this kind must have. */
  readonly mayLack: readonly RegExp[];
  readonly isAlive: (pid: number) => boolean;
  /** True when the process does not run though it could. */
  readonly standsStill: (pid: number) => Promise<boolean>;
}

const LEAST: TaskResources = { requests: { milliCpu: 250, memoryBytes: 16 * MIB }, limits: { memoryBytes: 64 * MIB, pids: 64 } };

/** Files after `LEAST` with half a cpu, the first processor and throttles, by controller. */
const HELD: Readonly<Record<1 | 2, readonly (readonly [controller: string, file: string, text: (disk: string) => string])[]>> = {
  1: [
    ['cpu', 'cpu.shares', () => '256'], ['cpu', 'cpu.cfs_period_us', () => '100000'], ['cpu', 'cpu.cfs_quota_us', () => '50000'],
    ['memory', 'memory.limit_in_bytes', () => String(64 * MIB)], ['memory', 'memory.memsw.limit_in_bytes', () => String(64 * MIB)],
    ['memory', 'memory.soft_limit_in_bytes', () => String(16 * MIB)], ['pids', 'pids.max', () => '64'], ['cpuset', 'cpuset.cpus', () => '0'],
    ['blkio', 'blkio.throttle.read_bps_device', disk => `${disk} 1048576`], ['blkio', 'blkio.throttle.write_iops_device', disk => `${disk} 100`],
    ['hugetlb', 'hugetlb.2MB.limit_in_bytes', () => String(4 * MIB)], ['hugetlb', 'hugetlb.2MB.rsvd.limit_in_bytes', () => String(4 * MIB)],
    ['hugetlb', 'hugetlb.1GB.limit_in_bytes', () => '0'],
  ],
  2: [
    ['unified', 'cpu.weight', () => '10'], ['unified', 'cpu.max', () => '50000 100000'], ['unified', 'memory.max', () => String(64 * MIB)],
    ['unified', 'memory.swap.max', () => '0'], ['unified', 'memory.low', () => String(16 * MIB)], ['unified', 'pids.max', () => '64'], ['unified', 'cpuset.cpus', () => '0'],
    ['unified', 'io.max', disk => `${disk} rbps=1048576 wbps=max riops=max wiops=100`],
    ['unified', 'hugetlb.2MB.max', () => String(4 * MIB)], ['unified', 'hugetlb.2MB.rsvd.max', () => String(4 * MIB)], ['unified', 'hugetlb.1GB.max', () => '0'],
  ],
};

/** What is held to where huge pages can be limited, and where not. */
function wished(subject: CgroupsUnderTest): TaskResources {
  const canLimitPages = subject.read(ONE, subject.version === 1 ? 'hugetlb' : 'unified', subject.version === 1 ? 'hugetlb.2MB.limit_in_bytes' : 'hugetlb.2MB.max') !== undefined;
  return {
    ...LEAST,
    limits: { ...LEAST.limits, milliCpu: 500, cpuset: '0', io: { readBps: MIB, writeIops: 100 }, ...(canLimitPages ? { hugepages: [{ pageBytes: 2 * MIB, bytes: 4 * MIB }] } : {}) },
  };
}

export type UseCgroups = (t: ExecutionContext, body: (subject: CgroupsUnderTest) => Promise<void>) => Promise<void>;

/** The promises of Cgroups. `use` makes one, runs the body and takes it away. */
export function cgroupsContract(test: TestFn, what: string, use: UseCgroups): void {
  processesContract(test, what, use);
  limitsContract(test, what, use);
}

type Fact = (title: string, body: (t: ExecutionContext, subject: CgroupsUnderTest) => Promise<void>) => void;

function factsOf(test: TestFn, what: string, use: UseCgroups): Fact {
  return (title, body) => { test.serial(`Cgroups, ${what}: ${title}`, t => use(t, subject => body(t, subject))); };
}

function limitsContract(test: TestFn, what: string, use: UseCgroups): void {
  const fact = factsOf(test, what, use);
  fact('every limit is in its file', async (t, subject) => {
    const { cgroups, enter, version, disk } = subject;
    await enter(ONE);
    await cgroups.limit(ONE, wished(subject));
    for (const [controller, file, text] of HELD[version]) {
      const held = subject.read(ONE, controller, file)?.trim();
      t.true(held !== undefined || subject.mayLack.some(lacking => lacking.test(file)), `${file} is not there`);
      if (held !== undefined) t.is(held, text(disk), file);
    }
    t.deepEqual(await cgroups.processCount(ONE), { count: 1, limit: 64 });
    t.is((await cgroups.usage(ONE))?.memoryLimitBytes, 64 * MIB);
  });

  fact('the task\'s own group asks for what its containers ask for together', async (t, { cgroups, enter, readTask, version }) => {
    const asked = (): readonly (string | undefined)[] => (version === 1 ? [readTask(ONE, 'cpu', 'cpu.shares'), readTask(ONE, 'memory', 'memory.soft_limit_in_bytes')]
      : [readTask(ONE, 'unified', 'cpu.weight'), readTask(ONE, 'unified', 'memory.low')]).map(text => text?.trim());
    await enter(ONE);
    await cgroups.limit(ONE, LEAST);
    t.deepEqual(asked(), [version === 1 ? '256' : '10', String(16 * MIB)]);
    await enter(BESIDE);
    await cgroups.limit(BESIDE, { ...LEAST, requests: { milliCpu: 2000, memoryBytes: 8 * MIB } });
    t.deepEqual(asked(), [version === 1 ? '2304' : '89', String(24 * MIB)]);
    await cgroups.killAll(BESIDE);
    await cgroups.remove(BESIDE);
    t.deepEqual(asked(), [version === 1 ? '256' : '10', String(16 * MIB)]);
  });

  fact('limits of one that runs go up and down, and go away', async (t, subject) => {
    const { cgroups, enter } = subject;
    await enter(ONE);
    const before = wished(subject);
    await cgroups.limit(ONE, before);
    const more: TaskResources = { requests: LEAST.requests, limits: { memoryBytes: 256 * MIB, pids: 100 } };
    await cgroups.limit(ONE, more, before);
    t.deepEqual([(await cgroups.usage(ONE))?.memoryLimitBytes, (await cgroups.processCount(ONE)).limit], [256 * MIB, 100]);
    const quota = subject.version === 1 ? subject.read(ONE, 'cpu', 'cpu.cfs_quota_us') : subject.read(ONE, 'unified', 'cpu.max')?.split(' ')[0];
    t.is(quota?.trim(), subject.version === 1 ? '-1' : 'max');
    await cgroups.limit(ONE, LEAST, more);
    t.is((await cgroups.usage(ONE))?.memoryLimitBytes, 64 * MIB);
  });

  fact('a limit that cannot be is told, and the others are as before', async (t, { cgroups, enter, onDisk }) => {
    await enter(ONE);
    await cgroups.limit(ONE, LEAST);
    await t.throwsAsync(cgroups.limit(ONE, { ...LEAST, limits: { ...LEAST.limits, cpuset: '8191' } }), { message: /this node has no cpu 8191/ });
    await t.throwsAsync(cgroups.limit(ONE, { ...LEAST, limits: { ...LEAST.limits, hugepages: [{ pageBytes: 2 ** 40, bytes: 2 ** 40 }] } }), { message: /no pages of 1Ti, it has/ });
    const beyond: TaskResources = { ...LEAST, limits: { memoryBytes: 128 * MIB, pids: 32, io: { readBps: MIB } } };
    await t.throwsAsync(onDisk('4095:1').limit(ONE, beyond, LEAST), { message: /^io/, code: 'FAILED_PRECONDITION' });
    t.deepEqual([(await cgroups.usage(ONE))?.memoryLimitBytes, (await cgroups.processCount(ONE)).limit], [64 * MIB, 64]);
  });

  fact('pressure is told where the kernel counts it', async (t, subject) => {
    await subject.enter(ONE);
    const isCounted = subject.read(ONE, 'unified', 'memory.pressure') !== undefined;
    t.is((await subject.cgroups.usage(ONE))?.pressure !== undefined, isCounted);
    if (subject.version === 1) t.false(isCounted);
  });
}

/** Those that need no controller. */
export function processesContract(test: TestFn, what: string, use: UseCgroups): void {
  const fact = factsOf(test, what, use);

  fact('the processes of a container are known and held; others are not', async (t, { cgroups, enter, outsider }) => {
    const [pid, beside] = [await enter(ONE), await enter(BESIDE)];
    t.deepEqual(await cgroups.processes(ONE), [pid]);
    t.deepEqual([await cgroups.holds(ONE, pid), await cgroups.holds(ONE, beside), await cgroups.holds(ONE, outsider)], [true, false, false]);
    t.deepEqual(await cgroups.list(), [ONE, BESIDE]);
  });

  fact('the containers of a task stand still together, those of another run on', async (t, { cgroups, enter, standsStill }) => {
    const [one, beside, other] = [await enter(ONE), await enter(BESIDE), await enter(OTHER)];
    await cgroups.freeze(ONE);
    t.deepEqual([await standsStill(one), await standsStill(beside), await standsStill(other)], [true, true, false]);
    await cgroups.thaw(ONE);
    t.deepEqual([await standsStill(one), await standsStill(beside)], [false, false]);
  });

  fact('killing one container ends its processes, also in a task that stands still, and the others stand still on', async (t, { cgroups, enter, isAlive, standsStill }) => {
    const [one, beside] = [await enter(ONE), await enter(BESIDE)];
    await cgroups.freeze(ONE);
    await cgroups.killAll(BESIDE);
    t.deepEqual([isAlive(one), isAlive(beside), await standsStill(one)], [true, false, true]);
    t.deepEqual(await cgroups.processes(BESIDE), []);
    await cgroups.killAll(ONE);
    t.false(isAlive(one));
  });

  fact('what is removed is gone in every hierarchy, the last container takes the task along', async (t, { cgroups, enter, read, version }) => {
    await enter(ONE);
    await enter(BESIDE);
    const [controller, file] = version === 1 ? ['pids', 'pids.max'] as const : ['unified', 'cgroup.freeze'] as const;
    for (const [id, left] of [[BESIDE, [ONE]], [ONE, []]] as const) {
      await cgroups.killAll(id);
      await cgroups.remove(id);
      t.is(read(id, controller, file), undefined);
      t.deepEqual(await cgroups.list(), left);
    }
    await t.notThrowsAsync(cgroups.removeParent());
  });

  fact('what is not there: nothing uses, runs or remains', async (t, { cgroups }) => {
    t.deepEqual([await cgroups.processes(OTHER), await cgroups.usage(OTHER), await cgroups.processCount(OTHER), await cgroups.list()], [[], undefined, { count: 0 }, []]);
    await cgroups.thaw(OTHER);
    await cgroups.killAll(OTHER);
    await cgroups.remove(OTHER);
    await cgroups.removeParent();
    t.pass();
  });

  fact('an id that is no name has no group', async (t, { cgroups }) => {
    for (const id of ['', '..', 'a/b', '-a', 'A']) t.throws(() => cgroups.pathFor(id), { instanceOf: RangeError }, id);
    t.is(cgroups.pathFor(ONE).split('/').slice(-2).join('/'), `aaaaaaaaaaaa/${ONE}`);
    await Promise.resolve();
  });
}
