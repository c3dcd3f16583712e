import test from 'ava';
import { checkResources } from '#model/resource-rules.ts';
import type { IoLimits, Limits } from '#model/resources.ts';

const MIB = 2 ** 20;
const check = (limits: Partial<Limits>): readonly { readonly path: string; readonly message: string }[] =>
  checkResources({ requests: { milliCpu: 50, memoryBytes: 32 * MIB }, limits: { memoryBytes: 64 * MIB, pids: 64, ...limits } }, 'r');

const refuses = test.macro({
  exec(t, limits: Partial<Limits>, path: string, message: RegExp) {
    const found = check(limits);
    t.deepEqual(found.map(one => one.path), [path]);
    t.regex(found[0]?.message ?? '', message);
  },
  title: (_, limits) => `refused: ${JSON.stringify(limits)}`,
});
test(refuses, { cpuset: '1-0' }, 'r.limits.cpuset', /not a list of cpus/);
test(refuses, { cpuset: '1,0' }, 'r.limits.cpuset', /in order, each cpu once: 0-1/);
test(refuses, { swapBytes: -1 }, 'r.limits.swap', /at least 0/);
test(refuses, { storageBytes: 2 ** 20 - 1 }, 'r.limits.storage', /at least 1Mi/);
test(refuses, { pids: 0 }, 'r.limits.pids', /at least 1/);
test(refuses, { memoryBytes: 31 * MIB }, 'r.limits.memory', /at least what is requested/);
for (const [io, key] of [[{ weight: 9 }, 'weight'], [{ weight: 1001 }, 'weight'], [{ readBps: 4095 }, 'read_bps'], [{ writeBps: 0 }, 'write_bps'], [{ readIops: 0 }, 'read_iops'], [{ writeIops: 2 ** 32 }, 'write_iops']] as const) {
  test(refuses, { io: io satisfies IoLimits }, `r.limits.io.${key}`, /at least/);
}
test(refuses, { hugepages: [{ pageBytes: 3 * MIB, bytes: 3 * MIB }] }, 'r.limits.hugepages.3Mi', /power of two/);
test(refuses, { hugepages: [{ pageBytes: 2 ** 15, bytes: 2 ** 15 }] }, 'r.limits.hugepages.32Ki', /at least 64Ki/);
test(refuses, { hugepages: [{ pageBytes: 2 * MIB, bytes: 3 * MIB }] }, 'r.limits.hugepages.2Mi', /whole pages of 2Mi, at least one/);
test(refuses, { hugepages: [{ pageBytes: 2 * MIB, bytes: 0 }] }, 'r.limits.hugepages.2Mi', /at least one/);
test(refuses, { hugepages: [{ pageBytes: 2 * MIB, bytes: 4 * MIB }, { pageBytes: 2 * MIB, bytes: 2 * MIB }] }, 'r.limits.hugepages.2Mi', /each size once/);
test('everything at its least and most', t => {
  t.deepEqual(check({ cpuset: '0-1,8191', swapBytes: 0, storageBytes: 2 ** 20, hugepages: [{ pageBytes: 2 ** 16, bytes: 2 ** 16 }, { pageBytes: 2 ** 30, bytes: 2 ** 31 }], io: { weight: 10, readBps: 4096, writeBps: 4096, readIops: 1, writeIops: 2 ** 32 - 1 } }), []);
  t.deepEqual(check({ io: { weight: 1000 } }), []);
});
