/** Short-lived programs of the runtime, started without forking the agent. */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { makePipe, reapProcess, spawnProcess } from '../kernel/spawn-syscall.ts';
import type { ChildFile } from '../kernel/spawn-syscall.ts';

export interface ToolOutcome {
  readonly code: number;
  readonly output: string;
}

/** The environment of every runtime call; nothing of the agent's own. */
export const TOOL_ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' } as const;
const MAX_OUTPUT_BYTES = 1024 * 1024;
const DEV_NULL: ChildFile = { path: '/dev/null' };

/** Runs a program to its end; stdout and stderr come as one text, cut at 1 MiB. After `timeoutMs` its whole session is killed: code 137. */
export async function runTool(program: string, args: readonly string[], timeoutMs: number): Promise<ToolOutcome> {
  const pipe = makePipe();
  let pid: number;
  try {
    pid = spawnProcess({
      program, args, environment: TOOL_ENVIRONMENT,
      files: new Map([[0, DEV_NULL], [1, { fd: pipe.writeFd }], [2, { fd: pipe.writeFd }]]),
    });
  } catch (error) {
    closeSync(pipe.readFd);
    throw error;
  } finally {
    closeSync(pipe.writeFd);
  }
  const timer = setTimeout(() => { process.kill(-pid, 'SIGKILL'); }, timeoutMs);
  const output = await readAll(pipe.readFd);
  clearTimeout(timer);
  return { code: reapProcess(pid).code, output };
}

/** Everything that comes out of a pipe until its last writer closed it. */
async function readAll(fd: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of new Socket({ fd, readable: true, writable: false }) as AsyncIterable<Buffer>) {
    if (size < MAX_OUTPUT_BYTES) {
      chunks.push(chunk);
      size += chunk.length;
    }
  }
  return Buffer.concat(chunks).toString('utf8');
}
