/**
 * The program that writes the logs of a node's containers, one for each runtime directory. It outlives agents:
 *
 *   log-writer-worker RUNTIME_DIRECTORY BUILD
 *
 * A writer of another build gives its place to this one; one of the same build keeps it.
 */
import { fstatSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryLock } from '../kernel/log-file-syscall.ts';
import { signalProcess } from '../kernel/pidfd-syscall.ts';
import { ContainerRecords, identify, isRunning } from '../runtime/container-record-fs.ts';
import { holdLogPipes, LogWriterLoop } from './log-writer-loop.ts';
import { readLogWriter, writeLogWriter } from './log-writer-file-fs.ts';

const TAKE_OVER_POLL_MS = 10;
const GONE_POLL_MS = 1_000;

const [directory = '', build = ''] = process.argv.slice(2);
const lock = openSync(`${directory}/log-writer.lock`, 'a', 0o600);
const records = new ContainerRecords(directory);
const release = holdLogPipes(records);
while (!tryLock(lock, 'exclusive')) {
  const other = readLogWriter(directory);
  if (other !== undefined && isRunning(other.process)) {
    if (other.build === build) process.exit(0);
    signalProcess(other.process.pid, 'SIGTERM', () => isRunning(other.process));
  }
  await sleep(TAKE_OVER_POLL_MS);
}
const self = identify(process.pid);
if (self === undefined) throw new Error('/proc does not show this process');
writeLogWriter(directory, { process: self, build });
const loop = new LogWriterLoop(records);
process.once('SIGTERM', () => {
  loop.close();
  process.exit(0);
});
loop.start();
release();
// A node that left the cluster, or whose machine started again, has a new directory or none.
setInterval(() => { if (fstatSync(lock).nlink === 0) process.exit(0); }, GONE_POLL_MS);
