/** Short-lived programs of the runtime, started without forking the agent. */
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import { makePipe, spawnProcess, tryReap } from '../kernel/spawn-syscall.ts';
import type { ChildFile } from '../kernel/spawn-syscall.ts';
import { readPipe } from './pipe-socket.ts';

export interface ToolOutcome {
  readonly code: number;
  readonly output: string;
}

/** The environment of every runtime call; nothing of the agent's own. */
export const TOOL_ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' } as const;
/** Tools that the agent runs print little; a list of all links of a large node is the longest. */
const MAX_OUTPUT_LENGTH = 16 * 1024 * 1024;
/** Source: signal(7): 128 + SIGKILL */
const KILLED_CODE = 137;
const DEV_NULL: ChildFile = { path: '/dev/null' };

/** A process that outlives SIGKILL this long sits in the kernel; it is reaped whenever it comes out. */
const REAP_LIMIT_MS = 2_000;
const REAP_POLL_MS = 2;
const STUCK_POLL_MS = 1_000;

/**
 * Runs a program to its end; stdout and stderr come as one text, cut at 16 Mi characters. After `timeoutMs` its whole session is killed and the
 * answer is code 137, whoever else still holds its output and whether or not the kernel lets it go.
 */
export async function runTool(program: string, args: readonly string[], timeoutMs: number): Promise<ToolOutcome> {
  const pipe = makePipe();
  let pid: number;
  try {
    pid = await spawnProcess({
      program, args, environment: TOOL_ENVIRONMENT,
      files: new Map([[0, DEV_NULL], [1, { fd: pipe.writeFd }], [2, { fd: pipe.writeFd }]]),
    });
  } catch (error) {
    closeSync(pipe.readFd);
    throw error;
  } finally {
    closeSync(pipe.writeFd);
  }
  let said = '';
  const socket = readPipe(pipe.readFd, text => { if (said.length < MAX_OUTPUT_LENGTH) said += text; });
  const overdue = new AbortController();
  const timer = setTimeout(() => {
    overdue.abort();
    killSession(pid);
    socket.destroy();
  }, timeoutMs);
  await once(socket, 'close');
  clearTimeout(timer);
  const code = await reapSoon(pid);
  const { aborted: isOverdue } = overdue.signal;
  const words = isOverdue ? `no end within ${String(timeoutMs / 1000)} s; killed` : '';
  return { code: isOverdue ? KILLED_CODE : code, output: [said.trimEnd(), words].filter(text => text !== '').join(': ') };
}

/** The exit code of a child that is ending. One that the kernel does not let go counts as killed, and is reaped later. */
export async function reapSoon(pid: number): Promise<number> {
  const deadlineMs = performance.now() + REAP_LIMIT_MS;
  for (;;) {
    const exit = tryReap(pid);
    if (exit !== undefined) {
      return exit.code;
    }
    if (performance.now() >= deadlineMs) {
      const poll = setInterval(() => { if (tryReap(pid) !== undefined) clearInterval(poll); }, STUCK_POLL_MS).unref();
      return KILLED_CODE;
    }
    await setTimeoutPromise(REAP_POLL_MS);
  }
}

/** Kills a program that was started here with what it started itself; one that is gone is fine. */
export function killSession(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // gone already: only a descendant in a session of its own still holds the pipe
  }
}
