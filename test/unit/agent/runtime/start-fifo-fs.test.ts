import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { startByFifo } from '../../../../agent/runtime/start-fifo-fs.ts';

function fifoPath(t: ExecutionContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-fifo-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  return path.join(directory, 'exec.fifo');
}

test('who waits at the FIFO gets a byte, and the FIFO is gone', t => {
  const fifo = fifoPath(t);
  execFileSync('mkfifo', [fifo]);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  t.teardown(() => { closeSync(reader); });
  t.true(startByFifo(fifo));
  t.is(readSync(reader, Buffer.alloc(2)), 1);
  t.false(existsSync(fifo));
});

test('a FIFO that nobody reads stays, and is no start; nor is one that is not there', t => {
  const fifo = fifoPath(t);
  t.false(startByFifo(fifo));
  execFileSync('mkfifo', [fifo]);
  t.false(startByFifo(fifo));
  t.true(existsSync(fifo));
});
