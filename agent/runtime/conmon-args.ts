/** The command line of a container's monitor. Source: conmon(8) */
export interface ConmonInput {
  readonly id: string;
  readonly runtimePath: string;
  /** The runtime's own --root. */
  readonly runtimeRoot: string;
  readonly bundlePath: string;
  readonly exitDir: string;
  /** Gets `oom`; also conmon's pid files. */
  readonly recordDir: string;
  readonly logPath: string;
  readonly terminal: boolean;
  readonly stdin: boolean;
}

/**
 * Above this conmon itself starts its log anew, which loses what was in it. The agent rotates far earlier; this bounds the disk
 * while no agent runs.
 */
const LOG_HARD_LIMIT_BYTES = 256 * 1024 * 1024;

export const CONTAINER_PID_FILE = 'container.pid';
export const MONITOR_PID_FILE = 'monitor.pid';

/**
 * A plain stdin ends with its first client, so that `cat` sees the end of file; a terminal stays for the next one.
 * `--full-attach` puts the attach socket into the bundle, whatever the length of its path.
 */
export function conmonArgs(input: ConmonInput): readonly string[] {
  return [
    '--api-version', '1',
    '--cid', input.id, '--cuuid', input.id, '--name', input.id,
    '--runtime', input.runtimePath, '--runtime-arg=--root', `--runtime-arg=${input.runtimeRoot}`,
    '--bundle', input.bundlePath,
    '--container-pidfile', `${input.recordDir}/${CONTAINER_PID_FILE}`,
    '--conmon-pidfile', `${input.recordDir}/${MONITOR_PID_FILE}`,
    '--log-path', `k8s-file:${input.logPath}`, '--log-size-max', String(LOG_HARD_LIMIT_BYTES), '--no-sync-log',
    '--exit-dir', input.exitDir, '--persist-dir', input.recordDir,
    '--full-attach', '--log-level', 'error',
    ...(input.terminal ? ['--terminal'] : []),
    ...(input.stdin ? ['--stdin'] : []),
    ...(input.stdin && input.terminal ? ['--leave-stdin-open'] : []),
  ];
}
