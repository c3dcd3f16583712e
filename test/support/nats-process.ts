import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { shippedFile } from './shipped-unit.ts';
import { freePort } from './free-port.ts';
import type { TestAuthority } from './rpc-cluster.ts';

const NATS_PROGRAM = '/usr/sbin/nats-server';
const START_LIMIT_MS = 60_000;

export async function hasNats(): Promise<boolean> {
  return await access(NATS_PROGRAM, constants.X_OK).then(() => true, () => false);
}

/** A real server that asks for client certificates. Its files are in a directory that `remove` deletes. */
export class NatsProcess {
  readonly directory: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(directory: string, port: number) {
    this.directory = directory;
    this.#port = port;
  }

  /** @param home  its files are in a new folder below it */
  static async start(authority: TestAuthority, home = tmpdir()): Promise<NatsProcess> {
    const nats = new NatsProcess(await mkdtemp(join(home, 'gantry-nats-')), await freePort());
    await nats.#writeIdentity(authority, 'server');
    const changes = {
      '10.0.0.1:7412': nats.address, '/etc/gantry/nats/ca.pem': join(nats.directory, 'server-ca.pem'),
      '/etc/gantry/nats/certificate.pem': join(nats.directory, 'server-certificate.pem'), '/etc/gantry/nats/key.pem': join(nats.directory, 'server-key.pem'),
    };
    await writeFile(join(nats.directory, 'nats.conf'), shippedFile('nats.conf', changes));
    await nats.start();
    return nats;
  }

  get address(): string {
    return `127.0.0.1:${String(this.#port)}`;
  }

  /** Writes the files that `nats.conf` names. */
  async #writeIdentity(authority: TestAuthority, name: string): Promise<void> {
    const { caPem, pair } = await authority.identity('controller', name);
    const files = { caFile: join(this.directory, `${name}-ca.pem`), certificateFile: join(this.directory, `${name}-certificate.pem`), keyFile: join(this.directory, `${name}-key.pem`) };
    await writeFile(files.caFile, caPem);
    await writeFile(files.certificateFile, pair?.certificatePem ?? '');
    await writeFile(files.keyFile, pair?.keyPem ?? '', { mode: 0o600 });
  }

  async start(): Promise<void> {
    this.#child = spawn(NATS_PROGRAM, ['-c', join(this.directory, 'nats.conf')], { stdio: 'ignore' });
    const endAtMs = performance.now() + START_LIMIT_MS;
    while (!(await this.#isListening())) {
      if (performance.now() > endAtMs) {
        throw new Error(`nats-server does not listen on ${this.address}`);
      }
      await sleep(20);
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  async #isListening(): Promise<boolean> {
    const socket = connect(this.#port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      // Not listening yet.
      return false;
    } finally {
      socket.destroy();
    }
  }
}
