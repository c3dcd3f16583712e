/**
 * The runtimes that the agent knows: a new one is an entry here, and nothing else.
 *
 * What it takes of a program: the command line of the OCI runtimes (`--root DIR create --bundle DIR --pid-file FILE ID`, `start`, `state`,
 * `kill`, `delete --force`, `list -q`, `exec --process FILE`). Source: opencontainers/runtime-tools, docs/command-line-interface.md
 */
export interface RuntimeDriver {
  /** As `runtime:` in a manifest names it. */
  readonly name: string;
  /** Where distributions put the program; the first that is there and answers `--version` is used. */
  readonly programs: readonly string[];
  /** An exec's terminal may be taken over from its console socket. crun's own copying loses what waits at the end; runc gives its terminal to nobody. */
  readonly givesTerminal: boolean;
  /** The container's processes are the machine's own: a signal reaches the first one without a call of the program. False for virtual machines. */
  readonly hasHostProcesses: boolean;
  /** FIFO in the container's state directory that a created container waits at; see start-fifo-fs.ts. */
  readonly startFifo?: string;
  /** All that it remembers of a container whose processes are gone is the directory `ROOT/ID`: that goes without a call of the program. */
  readonly isForgottenByDirectory: boolean;
  /** What it says of an id that it does not know. */
  readonly unknownId: RegExp;
}

export const RUNTIME_DRIVERS: readonly RuntimeDriver[] = [
  {
    name: 'crun', programs: ['/usr/bin/crun', '/usr/local/bin/crun'], givesTerminal: true, hasHostProcesses: true, startFifo: 'exec.fifo', isForgottenByDirectory: true,
    unknownId: /does not exist|No such file or directory/,
  },
  {
    name: 'runc', programs: ['/usr/bin/runc', '/usr/sbin/runc', '/usr/local/sbin/runc'], givesTerminal: false, hasHostProcesses: true, isForgottenByDirectory: true,
    unknownId: /does not exist|No such file or directory/,
  },
];

/** @throws RangeError for a name that is in no entry */
export function runtimeDriver(name: string): RuntimeDriver {
  const driver = RUNTIME_DRIVERS.find(one => one.name === name);
  if (driver === undefined) {
    throw new RangeError(`no runtime is called ${name}`);
  }
  return driver;
}
