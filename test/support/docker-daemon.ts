/** A docker daemon of our own: its data, sockets and control groups in places of its own, no network; nothing of it is left. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, globSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireCommand, runCommand } from '#kit/command-process.ts';

const START_LIMIT_MS = 30_000;

export class DockerDaemon implements AsyncDisposable {
  readonly socket: string;
  readonly #home: string;
  readonly #child: ChildProcess;
  /** What the daemon makes elsewhere, and was not there before. */
  readonly #foreign: readonly string[];

  private constructor(home: string, child: ChildProcess, foreign: readonly string[]) {
    this.#foreign = foreign;
    this.#home = home;
    this.socket = path.join(home, 'docker.sock');
    this.#child = child;
  }

  /** @param registry  `host:port`, whose certificate is not checked */
  static async start(registry: string): Promise<DockerDaemon> {
    const home = mkdtempSync('/tmp/gantry-docker-');
    const foreign = ['/run/docker', '/opt/containerd'].filter(folder => !existsSync(folder));
    const child = spawn('dockerd', [
      '--data-root', `${home}/data`, '--exec-root', `${home}/exec`, '--pidfile', `${home}/docker.pid`, '--host', `unix://${home}/docker.sock`,
      '--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--insecure-registry', registry,
      '--cgroup-parent', `/${path.basename(home)}`, '--log-level=warn',
    ], { stdio: ['ignore', 'pipe', 'pipe'] });
    const log = createWriteStream(`${home}/log`);
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    const daemon = new DockerDaemon(home, child, foreign);
    const deadline = performance.now() + START_LIMIT_MS;
    while ((await runCommand('docker', ['--host', `unix://${daemon.socket}`, 'version'])).exitCode !== 0) {
      if (performance.now() > deadline || child.exitCode !== null) {
        await daemon[Symbol.asyncDispose]();
        throw new Error('dockerd does not start');
      }
      await sleep(200);
    }
    return daemon;
  }

  async pull(image: string): Promise<void> {
    await requireCommand('docker', ['--host', `unix://${this.socket}`, 'pull', '--quiet', image], { timeoutMs: 60_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGTERM');
      await once(this.#child, 'exit');
    }
    for (const group of globSync(`/sys/fs/cgroup/{,*/}${path.basename(this.#home)}`)) {
      removeGroup(group);
    }
    [this.#home, ...this.#foreign].forEach(folder => { rmSync(folder, { recursive: true, force: true }); });
  }
}

export function removeGroup(folder: string): void {
  for (const child of readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isDirectory())) {
    removeGroup(path.join(folder, child.name));
  }
  if (existsSync(folder)) {
    rmdirSync(folder);
  }
}
