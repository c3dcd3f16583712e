/** Execs of an agent that died: nobody reads them any more, and their processes would stay as long as their container. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { signalProcess } from '../kernel/pidfd-syscall.ts';
import { processText } from './process-text-fs.ts';

/** As exec-process.ts names them. */
const EXEC_FILE = /^exec-[0-9a-f-]+\.(?:json|pid|sock)$/;
/** Place of the parent's pid among the fields after the command's closing parenthesis. Source: proc_pid_stat(5), field 4 */
const PARENT_FIELD = 1;

/** Kills what is left of execs whose files are in `recordDir`, and removes these. Only while no agent has any exec there. */
export function endAbandonedExecs(recordDir: string): void {
  for (const file of entriesOf(recordDir).filter(name => EXEC_FILE.test(name))) {
    const path = `${recordDir}/${file}`;
    const pid = file.endsWith('.pid') ? Number(textOf(path)) : 0;
    if (pid === 0 || isSettled(pid, path)) rmSync(path, { force: true });
  }
}

/** False when it could not be looked at or signalled: its file stays for the next start. */
function isSettled(pid: number, pidFile: string): boolean {
  try {
    signalProcess(pid, 'SIGKILL', () => isChildOfExec(pid, pidFile));
    return true;
  } catch {
    return false;
  }
}

/** The runtime waits for what it started, and its command line names the file: no other process is taken for it. */
function isChildOfExec(pid: number, pidFile: string): boolean {
  const stat = processText(pid, 'stat') ?? '';
  const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[PARENT_FIELD] ?? '0';
  return processText(Number(parent), 'cmdline')?.split('\0').includes(pidFile) === true;
}

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // the container went
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // gone
  }
}
