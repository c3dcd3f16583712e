import test from 'ava';
import type { Limits } from '#model/resources.ts';
import { findProblem } from '../../../../agent/cgroup/limit-problems.ts';

const MIB = 2 ** 20;
const problem = (limits: Partial<Limits>, device: string | undefined = '254:0', inUse = 40 * MIB): string | undefined => findProblem(
  { requests: { milliCpu: 1, memoryBytes: MIB }, limits: { memoryBytes: 64 * MIB, pids: 1, ...limits } },
  { layout: { version: 2, roots: new Map() }, path: '/p', memoryBefore: 0, allCpus: '0-1', device, pageSizes: [2 * MIB] }, inUse,
);

test('memory at what is in use is fine, below is named with both amounts', t => {
  t.is(problem({ memoryBytes: 40 * MIB }), undefined);
  t.is(problem({ memoryBytes: 16 * MIB }), 'memory 16Mi is below the 40Mi in use; the limit stays until less is used');
});
test('a cpu that the node has not', t => {
  t.is(problem({ cpuset: '0-1' }), undefined);
  t.is(problem({ cpuset: '1-2' }), 'cpuset 1-2: this node has no cpu 2, it has 0-1');
});
test('io needs a disk, a weight does not', t => {
  t.regex(findProblem({ requests: { milliCpu: 1, memoryBytes: 1 }, limits: { memoryBytes: 64 * MIB, pids: 1, io: { readBps: 4096 } } }, { layout: { version: 1, roots: new Map() }, path: '/p', memoryBefore: 0, allCpus: '', device: undefined, pageSizes: [] }, 0) ?? '', /on no single disk/);
  t.is(problem({ io: { weight: 10 } }), undefined);
  t.is(problem({ io: { readBps: 4096 } }), undefined);
});
test('a size of huge pages that the node has not', t => {
  t.is(problem({ hugepages: [{ pageBytes: 2 * MIB, bytes: 4 * MIB }] }), undefined);
  t.is(problem({ hugepages: [{ pageBytes: 1024 * MIB, bytes: 1024 * MIB }] }), 'hugepages: this node has no pages of 1Gi, it has 2Mi');
});
