import { readFile } from 'node:fs/promises';
import type { Clock } from '#kit/clock.ts';
import { readClusterFile } from './cluster-fs.ts';
import type { DevLayout } from './layout.ts';
import { signalGroup } from './process-scan-fs.ts';

/** NATS reads its files again; the registry cannot, and the supervisor starts it again. etcd reads them at each connection. */
const SIGNALS = { nats: 'SIGHUP', registry: 'SIGTERM' } as const;
const POLL_MS = 1_000;

/** Has the programs of a local cluster use certificates that its controllers renewed: what deploy/systemd does on a real machine. */
export class CertificateReloadLoop {
  readonly #layout: DevLayout;
  readonly #onOperator: () => Promise<void>;
  readonly #clock: Clock;
  readonly #known = new Map<string, string>();

  /** @param onOperator  the operator's certificate was renewed */
  constructor(layout: DevLayout, onOperator: () => Promise<void>, clock: Clock) {
    this.#layout = layout;
    this.#onOperator = onOperator;
    this.#clock = clock;
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      for (const [name, reload] of Object.entries(SIGNALS)) {
        if (await this.#isRenewed(name)) await this.#signal(name, reload);
      }
      if (await this.#isRenewed('operator')) await this.#onOperator();
      await this.#clock.sleep(POLL_MS, signal);
    }
  }

  async #isRenewed(folder: string): Promise<boolean> {
    const pem = await readFile(`${this.#layout.stateDir}/pki/${folder}/certificate.pem`, 'utf8').catch(() => undefined);
    const known = this.#known.get(folder);
    if (pem === undefined || pem === known) {
      return false;
    }
    this.#known.set(folder, pem);
    return known !== undefined;
  }

  async #signal(name: string, signal: NodeJS.Signals): Promise<void> {
    const pid = (await readClusterFile(this.#layout.name))?.processes.find(process => process.name === name)?.pid;
    if (pid !== undefined) signalGroup(this.#layout, pid, signal);
  }
}
