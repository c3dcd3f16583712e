import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

export const ETCD_PROGRAM = '/usr/bin/etcd';
const START_LIMIT_MS = 60_000;
const POLL_MS = 50;

/** True when this machine has the etcd server. */
export async function hasEtcd(): Promise<boolean> {
  return await access(ETCD_PROGRAM, constants.X_OK).then(() => true, () => false);
}

/** Files of a server that asks its clients for a certificate of the same authority. */
export interface EtcdTls {
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

interface EtcdMode {
  readonly tls?: EtcdTls | undefined;
  readonly peerPorts?: readonly number[];
  /** Each write is on the disk before it is answered. */
  readonly isDurable?: boolean;
}

/** One etcd member with its own directory, which `remove` deletes. It can be killed, stopped, and started again on its data. */
export class EtcdProcess {
  readonly #directory: string;
  readonly #port: number;
  readonly #peerPort: number;
  readonly #extra: readonly string[];
  readonly #tls: EtcdTls | undefined;
  readonly #isDurable: boolean;
  /** Ports for peers of all members, itself included. */
  readonly #peerPorts: readonly number[];
  #child: ChildProcess | undefined;

  private constructor(directory: string, ports: readonly [number, number], extra: readonly string[], { tls, peerPorts = [ports[1]], isDurable = false }: EtcdMode = {}) {
    this.#directory = directory;
    [this.#port, this.#peerPort] = ports;
    this.#extra = extra;
    this.#tls = tls;
    this.#isDurable = isDurable;
    this.#peerPorts = peerPorts;
  }

  static async start(extra: readonly string[] = [], tls?: EtcdTls): Promise<EtcdProcess> {
    const directory = await mkdtemp(join(tmpdir(), 'gantry-etcd-'));
    const etcd = new EtcdProcess(directory, [await freePort(), await freePort()], extra, { tls });
    await etcd.start();
    return etcd;
  }

  /** With fsync, as it ships: the data is below `directory`, which the caller removes. */
  static async startDurable(directory: string, extra: readonly string[], tls: EtcdTls): Promise<EtcdProcess> {
    const home = await mkdtemp(join(directory, 'etcd-'));
    const etcd = new EtcdProcess(home, [await freePort(), await freePort()], extra, { tls, isDurable: true });
    await etcd.start();
    return etcd;
  }

  /** So many members of one etcd. */
  static async startMembers(count: number, extra: readonly string[] = []): Promise<readonly EtcdProcess[]> {
    const ports = await Promise.all(Array.from({ length: count }, async () => [await freePort(), await freePort()] as const));
    const peerPorts = ports.map(([, peerPort]) => peerPort);
    const members = await Promise.all(ports.map(async pair => new EtcdProcess(await mkdtemp(join(tmpdir(), 'gantry-etcd-')), pair, extra, { peerPorts })));
    await Promise.all(members.map(async member => { await member.start(); }));
    return members;
  }

  get host(): string {
    return `${this.#tls === undefined ? 'http' : 'https'}://127.0.0.1:${String(this.#port)}`;
  }

  async start(): Promise<void> {
    const peer = peerOf(this.#peerPort);
    this.#child = spawn(ETCD_PROGRAM, [
      '--name', nameOf(this.#peerPort), '--data-dir', join(this.#directory, 'data'), '--listen-client-urls', this.host, '--advertise-client-urls', this.host,
      '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', this.#peerPorts.map(port => `${nameOf(port)}=${peerOf(port)}`).join(','), '--log-level', 'error',
      ...(this.#isDurable ? [] : ['--unsafe-no-fsync']), ...tlsArguments(this.#tls), ...this.#extra,
    ], { stdio: 'ignore' });
    const endAtMs = performance.now() + START_LIMIT_MS;
    while (!(await this.#isHealthy())) {
      if (performance.now() > endAtMs || this.#child.exitCode !== null) {
        throw new Error(`etcd does not answer on ${this.host}`);
      }
      await sleep(POLL_MS);
    }
  }

  /** kill -9, and waits for its end. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGSTOP. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  /** SIGCONT. */
  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  async remove(): Promise<void> {
    await this.#end('SIGKILL');
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) {
      return;
    }
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  async #isHealthy(): Promise<boolean> {
    try {
      return this.#tls === undefined
        ? (await fetch(`${this.host}/health`, { signal: AbortSignal.timeout(1_000) })).ok
        : await isListening(this.#port);
    } catch {
      // Not listening yet.
      return false;
    }
  }
}

function nameOf(peerPort: number): string {
  return `m${String(peerPort)}`;
}

function peerOf(peerPort: number): string {
  return `http://127.0.0.1:${String(peerPort)}`;
}

function tlsArguments(tls: EtcdTls | undefined): readonly string[] {
  return tls === undefined ? [] : ['--client-cert-auth', '--trusted-ca-file', tls.caFile, '--cert-file', tls.certificateFile, '--key-file', tls.keyFile];
}

async function isListening(port: number): Promise<boolean> {
  return await new Promise<boolean>(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => { resolve(false); });
  });
}
