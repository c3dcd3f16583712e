import test from 'ava';
import { interpreterOf, missingInterpreter, requireArgumentSpace, requireExecutable } from '../../../../agent/runtime/command-rules.ts';
import type { CommandFile } from '../../../../agent/runtime/command-rules.ts';

const elf = (machine: number): string => `\x7fELF${'\0'.repeat(14)}${String.fromCharCode(machine, 0)}`;
const file = (text: string, change: Partial<CommandFile> = {}): CommandFile => ({ kind: 'file', mode: 0o100755, text, ...change });

const refused = test.macro({
  exec(t, found: CommandFile | undefined, exitCode: number, words: RegExp) {
    t.like(t.throws(() => { requireExecutable('/x', found, 'x64'); }), { exitCode, code: 'FAILED_PRECONDITION' });
    t.throws(() => { requireExecutable('/x', found, 'x64'); }, { message: words });
  },
  title: (name = '') => `refused: ${name}`,
});
test('nothing there', refused, undefined, 127, /'\/x': not found/);
test('a directory', refused, file('', { kind: 'directory' }), 126, /is a directory/);
test('a fifo', refused, file('', { kind: 'other' }), 126, /permission denied/);
test('not executable', refused, file(elf(62), { mode: 0o100644 }), 126, /permission denied, it is not executable \(mode 0644\)/);
test('no program', refused, file('garbage'), 126, /exec format error/);
test('an empty file', refused, file(''), 126, /exec format error/);
test('a program of another architecture', refused, file(elf(183)), 126, /exec format error, it is for another architecture/);

test('a program of this machine, or a script', t => {
  t.notThrows(() => { requireExecutable('/x', file(elf(62)), 'x64'); });
  t.notThrows(() => { requireExecutable('/x', file(elf(183)), 'arm64'); });
  t.notThrows(() => { requireExecutable('/x', file('#!/bin/sh\n'), 'x64'); });
});
test('the interpreter of a script', t => {
  t.deepEqual(['#!/bin/sh\nx', '#! /usr/bin/env node\n', '#!\n', 'x'].map(interpreterOf), ['/bin/sh', '/usr/bin/env', undefined, undefined]);
  t.like(missingInterpreter('/x', '/bin/foo'), { exitCode: 127 });
  t.regex(missingInterpreter('/x', '/bin/foo').message, /interpreter '\/bin\/foo' not found/);
});
test('command and environment together fit what the kernel takes', t => {
  t.notThrows(() => { requireArgumentSpace(['a'], ['x'.repeat(120_000)]); });
  t.throws(() => { requireArgumentSpace(Array.from({ length: 20 }, () => 'x'.repeat(120_000)), []); }, { message: /argument list too long/ });
  t.throws(() => { requireArgumentSpace(['a'], Array.from({ length: 300_000 }, () => '')); }, { message: /argument list too long/ });
});
