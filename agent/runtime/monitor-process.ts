/** conmon, the process beside each container: started, heard, ended. */
import { closeSync } from 'node:fs';
import { ClusterError } from '#model/errors.ts';
import type { Clock } from '#kit/clock.ts';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { signalProcess } from '../kernel/pidfd-syscall.ts';
import { makePipe, spawnProcess } from '../kernel/spawn-syscall.ts';
import { unlessShort } from '../shortage.ts';
import { conmonArgs } from './conmon-args.ts';
import { isRunning } from './container-record-fs.ts';
import type { ContainerRecords } from './container-record-fs.ts';
import { readLine } from './pipe-socket.ts';
import type { ContainerRequest } from './ports.ts';
import { isRefusedValue } from './refused-value.ts';
import { hasChildOutside } from './process-children-fs.ts';
import { processText } from './process-text-fs.ts';
import type { RuntimeProcess } from './runtime-process.ts';
import { killSession, reapSoon, TOOL_ENVIRONMENT } from './tool-process.ts';

export interface MonitorParts {
  readonly conmonPath: string;
  readonly records: ContainerRecords;
  readonly clock: Clock;
}

/** A create that takes longer is taken for hung. */
const CREATE_TIMEOUT_MS = 30_000;
/** How often a create that takes long is looked at: is there still a runtime at work? Far above what a create takes. */
const CREATOR_LOOK_MS = 500;
/** Looks without one until conmon, which then only has a pid file to read, is taken for stuck. */
const MAX_IDLE_LOOKS = 4;
/** conmon drains the container's output before it goes; then it is ended. */
const MONITOR_GRACE_MS = 2000;
const MONITOR_POLL_MS = 5;
/** Made once: an abort without a reason makes an error with its stack each time. */
const WORD_CAME = new Error('the word came');
/** Source: conmon, src/conmon.c, get_pipe_fd_from_env("_OCI_SYNCPIPE") */
const SYNC_FD = 3;
/** The log's pipe, open in both directions: conmon never sees it without a reader, and bytes in it outlive the log writer. */
const LOG_FD = 4;

/** Starts conmon, which daemonizes and has the runtime create the container, and waits for its word. @throws ClusterError DEADLINE_EXCEEDED when there is none, FAILED_PRECONDITION when the runtime refuses, INVALID_ARGUMENT for a value that it never takes */
export async function startMonitor(request: ContainerRequest, runtime: RuntimeProcess, parts: MonitorParts): Promise<void> {
  const { id, bundlePath, terminal, stdin } = request;
  const args = conmonArgs({
    id, bundlePath, terminal, stdin, runtimePath: runtime.program, runtimeRoot: runtime.root,
    exitDir: parts.records.exitDir, recordDir: parts.records.dirOf(id),
  });
  const sync = makePipe();
  const silence = { path: '/dev/null' };
  let pid: number;
  try {
    pid = await spawnProcess({
      program: parts.conmonPath, args, environment: { ...TOOL_ENVIRONMENT, _OCI_SYNCPIPE: String(SYNC_FD) },
      // An OOM is also noted by an empty file `oom` in the working directory. Source: conmon, src/oom.c, write_oom_files
      directory: bundlePath,
      files: new Map<number, { readonly path: string } | { readonly fd: number }>([[0, silence], [1, silence], [2, silence], [SYNC_FD, { fd: sync.writeFd }], [LOG_FD, { path: parts.records.logPipeOf(id) }]]),
    });
  } catch (error) {
    closeSync(sync.readFd);
    throw error;
  } finally {
    closeSync(sync.writeFd);
  }
  const word = await readWord(id, sync.readFd, parts);
  if (word === undefined) {
    killSession(pid);
  }
  await reapSoon(pid);
  requireCreated(id, word);
}

/**
 * The first line conmon writes; undefined when it says nothing in time, or never will.
 *
 * A runtime that died after it made the container's process leaves conmon in a read of that process's stderr, without end.
 * Source: conmon 2.1, src/conmon.c, "Read from container stderr for any error"
 */
async function readWord(id: string, fd: number, { clock, records }: MonitorParts): Promise<string | undefined> {
  const over = new AbortController();
  const { socket, line } = readLine(fd);
  const watched = (async () => {
    const deadlineMs = clock.monotonicMs() + CREATE_TIMEOUT_MS;
    for (let idleLooks = 0; idleLooks < MAX_IDLE_LOOKS && clock.monotonicMs() < deadlineMs;) {
      await clock.sleep(CREATOR_LOOK_MS, over.signal);
      idleLooks = isCreating(id, records) ? 0 : idleLooks + 1;
    }
  })().catch(() => { /* the word came, or nobody can look whether it will */ }).finally(() => { socket.destroy(); });
  try {
    return await line;
  } finally {
    over.abort(WORD_CAME);
    await watched;
    socket.destroy();
  }
}

/** True while the monitor is not known yet, or has a child that is not in the container's control group: the runtime; and while the agent is too short of something to look. */
function isCreating(id: string, records: ContainerRecords): boolean {
  return unlessShort(() => {
    const { monitor } = records.processes(id);
    return monitor === undefined || hasChildOutside(monitor.pid, id);
  }, true);
}

/** `{"data": PID}` or `{"data": -1, "message": WHY}`. Source: conmon, src/parent_pipe_fd.c */
function requireCreated(id: string, word: string | undefined): void {
  if (word === undefined) {
    throw new ClusterError('DEADLINE_EXCEEDED', `container ${id}: its monitor said nothing`);
  }
  const { data = -1, message = '' } = JSON.parse(word) as { readonly data?: number; readonly message?: string };
  if (data <= 0) {
    throw new ClusterError(isRefusedValue(message) ? 'INVALID_ARGUMENT' : 'FAILED_PRECONDITION', `container ${id} cannot be created: ${message.trim()}`);
  }
}

/** Waits until conmon ended by itself, then kills it. */
export async function endMonitor(id: string, monitor: ProcessIdentity, clock: Clock): Promise<void> {
  const isIt = (): boolean => isRunning(monitor);
  if (!isMonitorOf(id, monitor)) {
    return;
  }
  const deadlineMs = clock.monotonicMs() + MONITOR_GRACE_MS;
  while (isIt() && clock.monotonicMs() < deadlineMs) {
    await clock.sleep(MONITOR_POLL_MS, new AbortController().signal);
  }
  signalProcess(monitor.pid, 'SIGKILL', isIt);
}

/** Resolves when it is gone, as far as the agent can look, or the signal aborts. */
export async function monitorGone(monitor: ProcessIdentity | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
  while (monitor !== undefined && !signal.aborted && unlessShort(() => isRunning(monitor), true)) {
    await clock.sleep(MONITOR_POLL_MS * 4, signal).catch(() => undefined);
  }
}

/** Kills a monitor that is still at its create, and with it the runtime: both are in the session that it made. Source: conmon, src/conmon.c, setsid */
export function abandonCreate(id: string, monitor: ProcessIdentity): void {
  if (isMonitorOf(id, monitor)) {
    killSession(monitor.pid);
  }
}

/** False when it is gone, or its pid is another program's. */
function isMonitorOf(id: string, monitor: ProcessIdentity): boolean {
  return processText(monitor.pid, 'cmdline')?.split('\0').includes(id) === true && isRunning(monitor);
}
