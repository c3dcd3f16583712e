/** The command line of a container's monitor. Source: conmon(8) */
export interface ConmonInput {
  readonly id: string;
  readonly runtimePath: string;
  /** The runtime's own --root. */
  readonly runtimeRoot: string;
  readonly bundlePath: string;
  readonly exitDir: string;
  /** Gets `oom` and conmon's pid files, and has the pipe that conmon writes the log into. */
  readonly recordDir: string;
  readonly terminal: boolean;
  readonly stdin: boolean;
}

export const CONTAINER_PID_FILE = 'container.pid';
export const MONITOR_PID_FILE = 'monitor.pid';
export const LOG_PIPE = 'log';

/**
 * A plain stdin ends with its first client, so that `cat` sees the end of file; a terminal stays for the next one.
 * Without `--log-size-max`: at its limit conmon would put a file in the place of the pipe.
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
    '--log-path', `k8s-file:${input.recordDir}/${LOG_PIPE}`, '--no-sync-log',
    '--exit-dir', input.exitDir, '--persist-dir', input.recordDir,
    '--full-attach', '--log-level', 'error',
    ...(input.terminal ? ['--terminal'] : []),
    ...(input.stdin ? ['--stdin'] : []),
    ...(input.stdin && input.terminal ? ['--leave-stdin-open'] : []),
  ];
}
