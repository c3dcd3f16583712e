import test from 'ava';
import { extractorFilter } from '../../../../agent/snapshot/extractor-filter.ts';
import type { FilterArchitecture } from '../../../../agent/snapshot/extractor-filter.ts';

const AUDIT = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const;
const ALLOWED = 0x7fff_0000;
const KILLED = 0x8000_0000;
const EPERM = 0x0005_0001;
const ENOSYS = 0x0005_0026;

/** What the kernel's interpreter would answer. Source: Documentation/networking/filter.rst */
function decide(program: Buffer, audit: number, number: number, args: readonly number[] = []): number {
  const words = new Map<number, number>([[0, number], [4, audit], ...args.map((value, index): [number, number] => [16 + 8 * index, value])]);
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at += 1) {
    const code = program.readUInt16LE(at * 8);
    const operand = program.readUInt32LE(at * 8 + 4);
    const jump = (holds: boolean): void => { at += program.readUInt8(at * 8 + (holds ? 2 : 3)); };
    if (code === 0x20) accumulator = words.get(operand) ?? 0;
    else if (code === 0x15) jump(accumulator === operand);
    else if (code === 0x35) jump(accumulator >= operand);
    else if (code === 0x45) jump((accumulator & operand) !== 0);
    else if (code === 0x06) return operand;
    else throw new Error(`opcode ${String(code)}`);
  }
  throw new Error('fell off the end');
}

const answers = test.macro({
  exec(t, architecture: FilterArchitecture, number: number, args: readonly number[], expected: number) {
    t.is(decide(extractorFilter(architecture), AUDIT[architecture], number, args), expected);
  },
  title: (name = '') => `extractorFilter: ${name}`,
});
test('x64: openat', answers, 'x64', 257, [], ALLOWED);
test('x64: socket', answers, 'x64', 41, [], EPERM);
test('x64: execve', answers, 'x64', 59, [], EPERM);
test('x64: mount', answers, 'x64', 165, [], EPERM);
test('x64: io_uring_setup', answers, 'x64', 425, [], EPERM);
test('x64: a thread', answers, 'x64', 56, [0x0001_0f00], ALLOWED);
test('x64: a process', answers, 'x64', 56, [0x11], EPERM);
test('x64: clone3', answers, 'x64', 435, [], ENOSYS);
test('x64: a whiteout', answers, 'x64', 259, [3, 0, 0o020000, 0], ALLOWED);
test('x64: a disk', answers, 'x64', 259, [3, 0, 0o060600, 0x800], EPERM);
test('x64: a disk by mknod', answers, 'x64', 133, [0, 0o060600, 0x800], EPERM);
test('x64: a call of x32', answers, 'x64', 0x4000_0029, [], EPERM);
test('arm64: openat', answers, 'arm64', 56, [], ALLOWED);
test('arm64: execve', answers, 'arm64', 221, [], EPERM);
test('arm64: a process', answers, 'arm64', 220, [0x11], EPERM);
test('arm64: a disk', answers, 'arm64', 33, [3, 0, 0o060600, 0x800], EPERM);
test('a call of another ABI ends the process', t => { t.is(decide(extractorFilter('x64'), 0x4000_0003, 1), KILLED); });
test('no jump goes further than a byte says, and the kernel takes that many instructions', t => {
  for (const architecture of ['x64', 'arm64'] as const) t.true(extractorFilter(architecture).length / 8 < 4_096);
});
