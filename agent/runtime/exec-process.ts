/** Processes started in a running container: the runtime's exec, with our pipes or our terminal as its stdio. */
import { randomUUID } from 'node:crypto';
import { closeSync } from 'node:fs';
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { ReadStream } from 'node:tty';
import type { Readable, Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { signalProcess } from '../kernel/pidfd-syscall.ts';
import { makePipe, reapProcess, spawnProcess } from '../kernel/spawn-syscall.ts';
import type { ChildFile } from '../kernel/spawn-syscall.ts';
import { ConsoleSocket, openTerminal, setTerminalSize } from '../kernel/terminal-syscall.ts';
import { shortageText } from '../shortage.ts';
import { readAccounts } from './account-files-fs.ts';
import { openContainerRoot } from './container-root-fs.ts';
import { execProcess } from './exec-spec.ts';
import type { AccountFiles } from './container-user.ts';
import type { OciProcess } from './oci-spec.ts';
import { readOutputs } from './output-socket.ts';
import { childrenOf } from './process-children-fs.ts';
import { processText } from './process-text-fs.ts';
import type { ExecRequest, ProcessStreams } from './ports.ts';
import type { RuntimeProcess } from './runtime-process.ts';
import { signalName } from './signal-name.ts';
import { killSession, TOOL_ENVIRONMENT } from './tool-process.ts';

export interface ExecTarget {
  readonly id: string;
  readonly runtime: RuntimeProcess;
  /** Gets the process and pid files of the exec. */
  readonly recordDir: string;
  /** The container's config.json. */
  readonly config: string;
  readonly container: ProcessIdentity;
}

/** The far end of the exec's stdio: what the child gets, and our side of it. */
interface Stdio {
  readonly files: ReadonlyMap<number, ChildFile>;
  readonly outputs: Readonly<Partial<Record<'stdout' | 'stderr', Readable>>>;
  readonly input: Writable | undefined;
  readonly isTerminal: boolean;
  resize(size: { readonly columns: number; readonly rows: number }): void;
}

/** What a start has open. */
interface Opened {
  /** Of the child alone: closed once it has it. */
  readonly forChild: DisposableStack;
  /** Ours: closed when the start does not come to its end. */
  readonly ours: DisposableStack;
}

/** A runtime's process that runs. */
interface Spawned {
  readonly pid: number;
  readonly stdio: Stdio;
  readonly console: ConsoleSocket | undefined;
  /** At its end of file the process has ended. */
  readonly lifeFd: number;
}

/** Held open by the runtime's process alone: its end of file is that process's end. */
const LIFE_FD = 3;
/** What docker's exec says for a command that is not there, or is none. Source: moby, daemon/exec.go, ContainerExecStart */
const NOT_STARTED_CODE = 126;
/** The runtime sends the terminal a few milliseconds after its start. */
const TERMINAL_POLL_MS = 1;
/** The runtime writes the pid of what it started after the start: the process may have said its first words by then. One that takes longer is taken for hung. */
const PID_POLL_MS = 5;
const PID_LIMIT_MS = 10_000;
const KILL_AGAIN_MS = 500;
const END_OF_INPUT = Buffer.from([4]);

/** Starts `request` in the container; its streams are read as fast as the consumer takes them. With an aborted signal they come at once, to be closed. */
export async function startExec(target: ExecTarget, request: ExecRequest, signal: AbortSignal): Promise<ProcessStreams> {
  const { process: base } = JSON.parse(target.config) as { readonly process: OciProcess };
  const spec = execProcess(base, request, request.user === undefined ? { passwd: '', group: '' } : await accountsOf(target.container));
  const name = `${target.recordDir}/exec-${randomUUID()}`;
  await writeFile(`${name}.json`, JSON.stringify(spec), { mode: 0o600 });
  return await startForeground({ ...target, name, args: files => target.runtime.execArgs(target.id, { ...files, process: `${name}.json` }) }, request, signal);
}

/** A runtime's process in front, whose stdio is that of the process it starts. */
export interface Foreground {
  readonly id: string;
  readonly runtime: RuntimeProcess;
  /** Path before the suffix of its files: `.json`, `.pid`, `.sock`. */
  readonly name: string;
  readonly args: (files: { readonly pid: string; readonly consoleSocket?: string }) => readonly string[];
}

/** Starts it; its streams are read as fast as the consumer takes them, and its files go with it, also when it cannot be started. */
export async function startForeground(target: Foreground, request: Pick<ExecRequest, 'tty' | 'stdin' | 'size'>, signal: AbortSignal): Promise<ProcessStreams> {
  let spawned: Spawned;
  try {
    spawned = await spawn(target, request);
  } catch (error) {
    await removeFiles(target.name);
    throw error;
  }
  const { pid, stdio, console, lifeFd } = spawned;
  const ended = endOf(pid, lifeFd);
  const terminal = console === undefined ? undefined : await receiveTerminal(console, ended, signal);
  return new ExecStreams({ ...target, pid }, terminal === undefined ? stdio : joinTerminal(terminal, stdio, request.size), ended);
}

async function spawn(target: Foreground, request: Pick<ExecRequest, 'tty' | 'stdin' | 'size'>): Promise<Spawned> {
  using forChild = new DisposableStack();
  using ours = new DisposableStack();
  const { name, runtime } = target;
  const consoleSocket = request.tty && runtime.givesTerminal ? `${name}.sock` : undefined;
  const console = consoleSocket === undefined ? undefined : ours.adopt(new ConsoleSocket(consoleSocket), socket => { socket.close(); });
  const stdio = request.tty && console === undefined ? terminalStdio(ours, request.size) : pipeStdio({ forChild, ours }, request.stdin && !request.tty);
  const life = makePipe();
  forChild.defer(() => { closeSync(life.writeFd); });
  ours.defer(() => { closeSync(life.readFd); });
  const pid = await spawnProcess({
    program: runtime.program, args: target.args({ pid: `${name}.pid`, ...(consoleSocket === undefined ? {} : { consoleSocket }) }), environment: TOOL_ENVIRONMENT,
    files: new Map<number, ChildFile>([...stdio.files, [LIFE_FD, { fd: life.writeFd }]]),
  });
  ours.move();
  return { pid, stdio, console, lifeFd: life.readFd };
}

async function removeFiles(name: string): Promise<void> {
  await Promise.all(['json', 'pid', 'sock'].map(suffix => rm(`${name}.${suffix}`, { force: true })));
}

/** The container's terminal, or undefined when the runtime ended without one, whose words tell why, or nobody wants it any more. */
async function receiveTerminal(console: ConsoleSocket, ended: Promise<unknown>, signal: AbortSignal): Promise<number | undefined> {
  const runtime = { hasEnded: false };
  void ended.then(() => { runtime.hasEnded = true; });
  try {
    for (;;) {
      const isLast = runtime.hasEnded;
      const terminal = console.receive();
      if (terminal !== undefined || isLast || signal.aborted) {
        return terminal;
      }
      await setTimeout(TERMINAL_POLL_MS);
    }
  } finally {
    console.close();
  }
}

/** `masterFd` as stdin and stdout; what the runtime itself has to say stays on its stderr. */
function joinTerminal(masterFd: number, runtime: Pick<Stdio, 'files' | 'outputs'>, size: ExecRequest['size']): Stdio {
  if (size !== undefined) {
    setTerminalSize(masterFd, size);
  }
  runtime.outputs.stdout?.destroy();
  const stream = new ReadStream(masterFd);
  stream.on('error', () => { /* EIO: the other side is closed, which is the end. Source: pts(4) */ });
  return {
    ...runtime,
    outputs: { ...runtime.outputs, stdout: stream },
    input: stream,
    isTerminal: true,
    resize(next) { if (!stream.destroyed) setTerminalSize(masterFd, next); },
  };
}

class ExecStreams implements ProcessStreams {
  readonly output: ProcessStreams['output'];
  readonly ended: Promise<{ readonly code: number }>;
  readonly #containerId: string;
  readonly #name: string;
  readonly #runtimePid: number;
  readonly #stdio: Stdio;
  #isEnded = false;
  #isClosing = false;

  constructor({ id, name, pid }: Pick<Foreground, 'id' | 'name'> & { readonly pid: number }, stdio: Stdio, exited: Promise<number>) {
    this.#containerId = id;
    this.#name = name;
    this.#runtimePid = pid;
    this.#stdio = stdio;
    const tidied = exited.then(async code => {
      this.#isEnded = true;
      const hasStarted = await access(`${name}.pid`).then(() => true, () => false);
      await removeFiles(name);
      return hasStarted ? code : NOT_STARTED_CODE;
    });
    let drained: () => void = () => undefined;
    const allRead = new Promise<void>(resolve => { drained = resolve; });
    this.output = this.#readAll(tidied, drained);
    this.ended = Promise.all([tidied, allRead]).then(([code]) => ({ code }));
    this.#drained = drained;
  }

  readonly #drained: () => void;

  async *#readAll(exited: Promise<number>, drained: () => void): ProcessStreams['output'] extends AsyncIterable<infer Chunk> ? AsyncGenerator<Chunk> : never {
    try {
      yield* readOutputs(this.#stdio.outputs, exited);
    } finally {
      this.#destroy();
      drained();
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    const input = this.#stdio.input;
    if (input === undefined || input.destroyed || input.writableEnded) {
      return;
    }
    await new Promise<void>(resolve => { input.write(bytes, () => { resolve(); }); });
  }

  /** A terminal has no end of file of its own: the byte that means it. */
  async closeInput(): Promise<void> {
    if (this.#stdio.isTerminal) {
      await this.write(END_OF_INPUT);
    } else {
      this.#stdio.input?.end();
    }
  }

  resize(size: { readonly columns: number; readonly rows: number }): Promise<void> {
    if (!this.#isEnded) {
      this.#stdio.resize(size);
    }
    return Promise.resolve();
  }

  async signal(signal: string): Promise<void> {
    const pid = await this.#startedPid();
    if (pid !== undefined && !this.#isEnded) {
      signalProcess(pid, signalName(signal), () => this.#isInContainer(pid));
    }
  }

  /** Of the process in the container, once the runtime told it; undefined when it ended or hangs without having started one. */
  async #startedPid(): Promise<number | undefined> {
    for (let waitedMs = 0; waitedMs < PID_LIMIT_MS && !this.#isEnded; waitedMs += PID_POLL_MS) {
      const pid = Number(await readFile(`${this.#name}.pid`, 'utf8').catch(() => ''));
      if (pid > 0) return pid;
      await setTimeout(PID_POLL_MS);
    }
    return undefined;
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    void this.#killAtLast().catch(() => { /* it ends at the latest when its stdio does */ }).finally(() => {
      this.#destroy();
      this.#drained();
    });
  }

  /** Without a descriptor left to signal by it is tried until there is one: nobody else would end the process before its container. */
  async #killAtLast(): Promise<void> {
    for (;;) {
      try {
        await this.#kill();
        return;
      } catch (error) {
        if (shortageText(error) === undefined) throw error;
        await setTimeout(KILL_AGAIN_MS);
      }
    }
  }

  /** A runtime that tells no process, or whose process is not in the container, is ended itself, with what it started. @throws when the agent is too short of something to */
  async #kill(): Promise<void> {
    const pid = await this.#startedPid();
    if (this.#isEnded || (pid !== undefined && this.#isKilled(pid))) return;
    // Its children first: without it nobody knows them any more, should one of them have to wait for a descriptor.
    (childrenOf(this.#runtimePid) ?? []).forEach(child => this.#isKilled(child));
    killSession(this.#runtimePid);
  }

  /** False when it is not in the container, or the kernel lets nobody signal it. @throws when the agent is too short of something to */
  #isKilled(pid: number): boolean {
    try {
      return signalProcess(pid, 'SIGKILL', () => this.#isInContainer(pid));
    } catch (error) {
      if (shortageText(error) !== undefined) throw error;
      return false;
    }
  }

  #isInContainer(pid: number): boolean {
    return processText(pid, 'cgroup')?.includes(`/${this.#containerId}\n`) === true;
  }

  #destroy(): void {
    Object.values(this.#stdio.outputs).forEach(stream => stream.destroy());
    this.#stdio.input?.destroy();
  }
}

function pipeStdio({ forChild, ours }: Opened, hasInput: boolean): Stdio {
  const pipe = (isInput: boolean): { readonly childFd: number; readonly socket: Socket } => {
    const { readFd, writeFd } = makePipe();
    const [ownFd, childFd] = isInput ? [writeFd, readFd] : [readFd, writeFd];
    forChild.defer(() => { closeSync(childFd); });
    return { childFd, socket: ours.adopt(new Socket({ fd: ownFd, readable: !isInput, writable: isInput }), socket => { socket.destroy(); }) };
  };
  const input = hasInput ? pipe(true) : undefined;
  const stdout = pipe(false);
  const stderr = pipe(false);
  input?.socket.on('error', () => { /* the process closed its stdin; its exit code tells */ });
  return {
    files: new Map<number, ChildFile>([[0, input === undefined ? { path: '/dev/null' } : { fd: input.childFd }], [1, { fd: stdout.childFd }], [2, { fd: stderr.childFd }]]),
    outputs: { stdout: stdout.socket, stderr: stderr.socket },
    input: input?.socket,
    isTerminal: false,
    resize: () => undefined,
  };
}

/**
 * A terminal of the host at the runtime's stdio; the runtime makes the container's own and copies bytes and sizes between them. As
 * leader of a new session it gets SIGWINCH. For a runtime that keeps the container's terminal to itself.
 */
function terminalStdio(ours: DisposableStack, size: ExecRequest['size']): Stdio {
  const { masterFd, path } = openTerminal();
  const side: ChildFile = { path };
  const stdio = joinTerminal(masterFd, { files: new Map([[0, side], [1, side], [2, side]]), outputs: {} }, size);
  ours.defer(() => { stdio.input?.destroy(); });
  return stdio;
}

/** The exit code of the runtime's process, which is that of the process it started. */
async function endOf(pid: number, lifeFd: number): Promise<number> {
  const life = new Socket({ fd: lifeFd, readable: true, writable: false });
  life.resume();
  await new Promise<void>(resolve => { life.once('close', () => { resolve(); }); });
  return reapProcess(pid).code;
}

/** The container's account files, by its own root. */
async function accountsOf(container: ProcessIdentity): Promise<AccountFiles> {
  const root = openContainerRoot(container);
  try {
    return await readAccounts(root.fd);
  } finally {
    closeSync(root.fd);
  }
}
