/** One controller as it ships, with etcd, and nothing else of a cluster. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import type { KeyPair } from '#identity/certificate-authority.ts';
import { EtcdStore } from '../../controller/store/etcd-store.ts';
import { EtcdProcess } from '../support/etcd-process.ts';
import { freePort } from '../support/free-port.ts';

const PROGRAM = path.join(import.meta.dirname, '../../deploy/bin/gantry-controller');
const MS_PER_TICK = 10;

export class LoneController implements AsyncDisposable {
  readonly authority: KeyPair;
  readonly address: string;
  readonly store: EtcdStore;
  readonly #etcd: EtcdProcess;
  readonly #directory: string;
  #child: ChildProcess | undefined;

  private constructor(parts: { readonly authority: KeyPair; readonly port: number; readonly etcd: EtcdProcess; readonly directory: string }) {
    this.authority = parts.authority;
    this.address = `127.0.0.1:${String(parts.port)}`;
    this.#etcd = parts.etcd;
    this.#directory = parts.directory;
    this.store = new EtcdStore({ hosts: [parts.etcd.host] });
  }

  static async start(): Promise<LoneController> {
    const directory = await mkdtemp(path.join(tmpdir(), 'gantry-lone-'));
    const authority = await createAuthority('bench', Date.now());
    const pair = await issueCertificate(authority, { role: 'controller', name: 'c1', dnsNames: [], ipAddresses: ['127.0.0.1'] }, { nowMs: Date.now() });
    const files = { 'ca.pem': authority.certificatePem, 'ca-key.pem': authority.keyPem, 'certificate.pem': pair.certificatePem, 'key.pem': pair.keyPem, 'secrets.key': '07'.repeat(32) };
    await Promise.all(Object.entries(files).map(async ([name, text]) => { await writeFile(path.join(directory, name), text, { mode: 0o600 }); }));
    const controller = new LoneController({ authority, directory, port: await freePort(), etcd: await EtcdProcess.start() });
    controller.run();
    return controller;
  }

  /** Starts it, again after `kill`. */
  run(): void {
    this.#child = spawn(PROGRAM, ['--id', 'c1', '--listen', this.address, '--etcd', this.#etcd.host, '--config-dir', this.#directory, '--log-level', 'warn'], { stdio: ['ignore', 'inherit', 'inherit'] });
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await exited;
    }
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Processor time that it has had, its threads' included, in milliseconds. Source: proc_pid_stat(5): utime and stime, in ticks of 10 ms */
  get cpuMs(): number {
    const stat = readFileSync(`/proc/${String(this.pid)}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.store.close();
    await this.#etcd.remove();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
