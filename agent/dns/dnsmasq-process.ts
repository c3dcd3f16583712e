import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { startProcess, TOOL_PATH } from '#kit/command-process.ts';
import { ClusterError } from '#model/errors.ts';

/**
 * Finds the server of the pid file: `same` has our arguments, `other` has outdated ones. A reused
 * pid has another command line. Source: proc_pid_cmdline(5)
 */
export async function findDnsmasq(pidFile: string, args: readonly string[]): Promise<{ readonly pid: number; readonly is: 'same' | 'other' } | undefined> {
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).trim());
  if (!Number.isInteger(pid) || pid <= 1) {
    return undefined;
  }
  const [, ...running] = (await readFile(`/proc/${String(pid)}/cmdline`, 'utf8').catch(() => '')).split('\0').slice(0, -1);
  if (!running.includes(`--pid-file=${pidFile}`)) {
    return undefined;
  }
  return { pid, is: running.join('\0') === args.join('\0') ? 'same' : 'other' };
}

/** Starts dnsmasq in its own session, so that it outlives the agent; errors go to `logFile`. */
export function startDnsmasq(args: readonly string[], logFile: string): { readonly hasEnded: () => boolean } {
  const log = openSync(logFile, 'w', 0o600);
  let isEnded = false;
  try {
    const child = startProcess('dnsmasq', args, { detached: true, stdio: ['ignore', log, log], env: { PATH: TOOL_PATH, LC_ALL: 'C' } });
    child.on('error', () => { isEnded = true; }).on('exit', () => { isEnded = true; });
    child.unref();
  } finally {
    closeSync(log);
  }
  return { hasEnded: () => isEnded };
}

/** @returns false if the process no longer exists */
export function signalDnsmasq(pid: number, signal: 'SIGTERM' | 'SIGKILL'): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    // The process exited meanwhile.
    return false;
  }
}

/** Returns an error with the message of a dnsmasq that did not start. */
export async function startFailure(logFile: string): Promise<ClusterError> {
  const words = (await readFile(logFile, 'utf8').catch(() => '')).trim().split('\n').at(-1) ?? '';
  return new ClusterError('FAILED_PRECONDITION', `dnsmasq does not run: ${words === '' ? 'is the program installed' : words}`);
}
