import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { AttachClient, REOPEN_LOG, tellMonitor } from '../../../../agent/runtime/attach-socket.ts';
import { failureWith } from '../../../support/taken-descriptors.ts';

/** A bundle with the FIFO that conmon reads its control lines from. */
function bundle(t: ExecutionContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-ctl-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  execFileSync('mkfifo', [path.join(directory, 'ctl')]);
  return directory;
}

function openForReading(bundlePath: string): number {
  return openSync(path.join(bundlePath, 'ctl'), constants.O_RDONLY | constants.O_NONBLOCK);
}

/** Nothing waits there: who writes has it open. Without a writer a read is the end of the file. Source: pipe(7) */
function hasWriter(reader: number): boolean {
  try {
    readSync(reader, Buffer.alloc(1));
    return false;
  } catch {
    return true;
  }
}

test('a monitor gets its line; one that is gone, or has no FIFO, is fine', async t => {
  const bundlePath = bundle(t);
  await t.notThrowsAsync(tellMonitor(bundlePath, REOPEN_LOG));
  await t.notThrowsAsync(tellMonitor(`${bundlePath}/none`, REOPEN_LOG));
  const reader = openForReading(bundlePath);
  await tellMonitor(bundlePath, REOPEN_LOG);
  const line = Buffer.alloc(REOPEN_LOG.length);
  readSync(reader, line);
  closeSync(reader);
  t.is(line.toString(), REOPEN_LOG);
});

test('a monitor that ends between the open and the write is fine', async t => {
  const bundlePath = bundle(t);
  const reader = openForReading(bundlePath);
  const told = tellMonitor(bundlePath, REOPEN_LOG);
  // The open is another thread's; this one does not come to the write before it is done here.
  const latestAtMs = performance.now() + 10_000;
  while (!hasWriter(reader) && performance.now() < latestAtMs) { /* not opened yet */ }
  closeSync(reader);
  await t.notThrowsAsync(told);
});

for (const [free, what] of [[0, /eventfd: EMFILE/], [2, /takes no attachment: .*EMFILE/]] as const) {
  test.serial(`F11: an attachment with ${String(free)} free descriptors is refused, and the next one starts another thread`, async t => {
    const client = new AttachClient();
    const attach = async (): Promise<unknown> => await client.attach({ bundlePath: '/none', terminal: false, stdin: false }, { ended: new Promise(() => undefined), signal: () => Promise.resolve() });
    t.regex(String(await failureWith(free, attach)), what);
    await t.throwsAsync(attach(), { code: 'FAILED_PRECONDITION', message: /takes no attachment: .*ENOENT/ });
  });
}
