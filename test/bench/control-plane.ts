/** Controllers as they ship, etcd with fsync and mutual TLS, NATS: what a cluster has besides its nodes. */
import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createControlClient } from '#rpc/control-client.ts';
import type { ControlClient } from '#model/ports.ts';
import { requireCommand } from '#kit/command-process.ts';
import type { EtcdTls as StoreTls } from '../../controller/store/etcd-members-store.ts';
import { EtcdStore } from '../../controller/store/etcd-store.ts';
import { EtcdProcess } from '../support/etcd-process.ts';
import type { EtcdTls } from '../support/etcd-process.ts';
import { freePort } from '../support/free-port.ts';
import { NatsProcess } from '../support/nats-process.ts';
import { TestAuthority } from '../support/rpc-cluster.ts';
import { BenchedController } from './benched-controller.ts';

/** As deploy/systemd/etcd.env. */
const ETCD_OPTIONS = ['--auto-compaction-mode', 'periodic', '--auto-compaction-retention', '1h'];
const ETCD_VERSION = /etcd Version: (\S+)/;
const NATS_VERSION = /: v(\S+)/;

export interface ControlPlaneOptions {
  /** On the disk of the bench. */
  readonly directory: string;
  readonly controllers: number;
  readonly hasHeapProbe?: boolean;
}

interface Parts {
  readonly authority: TestAuthority;
  readonly store: EtcdStore;
  readonly controllers: readonly [BenchedController, ...BenchedController[]];
  readonly owned: AsyncDisposableStack;
}

export class ControlPlane implements AsyncDisposable {
  readonly authority: TestAuthority;
  /** Past all controllers. */
  readonly store: EtcdStore;
  readonly controllers: readonly [BenchedController, ...BenchedController[]];
  readonly #owned: AsyncDisposableStack;

  private constructor({ authority, store, controllers, owned }: Parts) {
    this.authority = authority;
    this.store = store;
    this.controllers = controllers;
    this.#owned = owned;
  }

  static async start({ directory, controllers: count, hasHeapProbe = false }: ControlPlaneOptions): Promise<ControlPlane> {
    await using stack = new AsyncDisposableStack();
    const authority = await TestAuthority.create();
    const tls = await etcdFiles(directory);
    const etcd = await EtcdProcess.startDurable(directory, ETCD_OPTIONS, tls);
    stack.defer(async () => { await etcd.remove(); });
    const nats = await NatsProcess.start(authority, directory);
    stack.defer(async () => { await nats.remove(); });
    const store = new EtcdStore({ hosts: [etcd.host], tls: bytesOf(tls) });
    stack.defer(() => { store.close(); });
    const prepare = async (number: number): Promise<BenchedController> => {
      const address = `127.0.0.1:${String(await freePort())}`;
      const shared = { directory, authority, etcd: { host: etcd.host, ...tls }, nats: nats.address, hasHeapProbe };
      return stack.use(await BenchedController.prepare({ id: `c${String(number)}`, address, ...shared }));
    };
    const others = Array.from({ length: count - 1 }, async (_, index) => await prepare(index + 2));
    const controllers = [await prepare(1), ...await Promise.all(others)] as const;
    controllers.forEach(controller => { controller.run(); });
    return new ControlPlane({ authority, store, controllers, owned: stack.move() });
  }

  get addresses(): readonly string[] {
    return this.controllers.map(({ address }) => address);
  }

  /** Close it. */
  async client(): Promise<ControlClient> {
    const identity = await this.authority.identity('operator', 'admin');
    return createControlClient({ controllers: this.addresses, identity });
  }

  /** Of what is not of this repository. */
  async versions(): Promise<Readonly<Record<string, string>>> {
    const etcd = await requireCommand('etcd', ['--version']);
    const nats = await requireCommand('nats-server', ['--version']);
    return { etcd: ETCD_VERSION.exec(etcd)?.[1] ?? etcd, nats: NATS_VERSION.exec(nats)?.[1] ?? nats };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

/** Of an authority of its own, as deploy/README.md has it: a certificate of a node opens nothing there. */
async function etcdFiles(directory: string): Promise<EtcdTls> {
  const folder = await mkdtemp(path.join(directory, 'etcd-pki-'));
  const { caPem, pair } = await (await TestAuthority.create()).identity('controller', 'etcd');
  const at = (name: string): string => path.join(folder, name);
  const files = { caFile: at('ca.pem'), certificateFile: at('certificate.pem'), keyFile: at('key.pem') };
  await writeFile(files.caFile, caPem);
  await writeFile(files.certificateFile, pair?.certificatePem ?? '');
  await writeFile(files.keyFile, pair?.keyPem ?? '', { mode: 0o600 });
  return files;
}

function bytesOf({ caFile, certificateFile, keyFile }: EtcdTls): StoreTls {
  return { caPem: readFileSync(caFile), certificatePem: readFileSync(certificateFile), keyPem: readFileSync(keyFile) };
}
