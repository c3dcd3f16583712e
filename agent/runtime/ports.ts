import type { ProcessIdentity } from '#kit/process-stat-parse.ts';

export interface ContainerRequest {
  /** `^[a-z0-9][a-z0-9-]{0,62}$`; made from task and attempt. */
  readonly id: string;
  /** Runtime name: `crun` or `runc`. */
  readonly runtime: string;
  /** Directory that gets config.json, pid files, sockets, exit data; it exists and is empty. */
  readonly bundlePath: string;
  /** The OCI config, complete. */
  readonly configJson: string;
  readonly logPath: string;
  readonly terminal: boolean;
  readonly stdin: boolean;
}

export interface CreatedContainer {
  readonly container: ProcessIdentity;
  readonly monitor: ProcessIdentity;
}

/** How the first process ended. `code` is null where nobody could see it (reason tells). */
export interface ContainerEnd {
  readonly code: number | null;
  readonly isOomKilled: boolean;
  /** The kernel killed others of its processes for memory; absent: none. */
  readonly hadChildOom?: boolean;
  readonly finishedAtMs: number;
  readonly reason?: string;
}

export type ContainerState = 'absent' | 'created' | 'running' | 'stopped';

export interface ExecRequest {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly user?: string;
  readonly workingDir?: string;
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly size?: { readonly columns: number; readonly rows: number };
}

/** A running process's stdio. `output` ends when all of it was read; then `ended` resolves. */
export interface ProcessStreams {
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array }>;
  write(bytes: Uint8Array): Promise<void>;
  closeInput(): Promise<void>;
  /** `wantsRedraw`: another size first, so that what draws on the terminal draws anew for whoever came. */
  resize(size: { readonly columns: number; readonly rows: number }, wantsRedraw?: boolean): Promise<void>;
  /** Signals the process, `SIGINT` or `INT`, once it started; one that is gone is fine. */
  signal(signal: string): Promise<void>;
  /** The exit code: 128 + signal when killed. Attach: resolves when the container ends; code null when not known. */
  readonly ended: Promise<{ readonly code: number | null }>;
  /** Detach; for exec: also kills the process when it still runs. */
  close(): void;
}

/** A container that lives as long as its streams are open. */
export interface RunRequest {
  readonly id: string;
  readonly runtime: string;
  /** As in `ContainerRequest`. */
  readonly bundlePath: string;
  readonly configJson: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly size?: { readonly columns: number; readonly rows: number };
}

/**
 * Containers of this node: crun or runc behind conmon. The only caller of either.
 *
 * 1. `create` returns when the container is created (not started) and its monitor holds its stdio; on throw nothing of it is left.
 * 2. `start` is called once per id. 3. `kill` with `everyProcess` kills the cgroup. 4. `remove` takes away all of it: runtime state, cgroup, conmon, files
 * outside the bundle; removing what is absent is fine.
 * 5. `ends` yields each container's end as it happens (inotify on the exit directory), from now on; `readEnd` finds one that
 * happened earlier, also while the agent was down.
 * 6. A monitor that vanished without an exit file: `readEnd` answers code null, reason `monitor-lost`, only after the container's process is gone too.
 */
export interface ContainerRuntime {
  /** Why no container can be created now, in words; undefined: one can. Asked before anything is built for it. */
  problem(): string | undefined;
  create(request: ContainerRequest, signal: AbortSignal): Promise<CreatedContainer>;
  /** What a `create` of this boot answered, whichever agent called it, and when; undefined where none came to its end. */
  created(id: string): Promise<(CreatedContainer & { readonly createdAtMs: number }) | undefined>;
  start(id: string): Promise<void>;
  state(id: string): Promise<ContainerState>;
  kill(id: string, signal: string, everyProcess: boolean): Promise<void>;
  remove(id: string): Promise<void>;
  /** Ids with our prefix that the runtime or the exit directory knows. */
  list(): Promise<readonly string[]>;
  readEnd(id: string): Promise<ContainerEnd | undefined>;
  ends(signal: AbortSignal): AsyncIterable<{ readonly id: string; readonly end: ContainerEnd }>;
  exec(id: string, request: ExecRequest, signal: AbortSignal): Promise<ProcessStreams>;
  /** Ends the execs of an agent that died, with their files. Before this agent's first exec. */
  endAbandonedExecs(): Promise<void>;
  attach(id: string, signal: AbortSignal): Promise<ProcessStreams>;
  /** Creates and starts a container without a monitor, its stdio in our hands like an exec's; `remove` takes it away. */
  run(request: RunRequest, signal: AbortSignal): Promise<ProcessStreams>;
  /** True when the process with this pid and start time is alive. */
  isAlive(identity: ProcessIdentity): Promise<boolean>;
}

/** Usage of one container now. */
export interface ContainerUsage {
  readonly cpuMicroseconds: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly processes: number;
  readonly oomKills: number;
  readonly ioReadBytes: number;
  readonly ioWriteBytes: number;
  /** Absent in version 1, which does not count it. */
  readonly pressure?: Pressure;
}

/** Microseconds in which some process waited for each. */
export interface Pressure {
  readonly cpu: number;
  readonly memory: number;
  readonly io: number;
}
