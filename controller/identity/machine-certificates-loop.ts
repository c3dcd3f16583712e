import { renewAtMs } from '#identity/certificate-rules.ts';
import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import { listMachineCertificates, renewMachineCertificate } from './machine-certificates-fs.ts';
import type { MachineCertificate } from './machine-certificates-fs.ts';

export interface MachineCertificatesOptions {
  readonly configDir: string;
  /** Called at each look: programs of this process that hold a certificate of the machine take the file's. */
  readonly refresh: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Longest sleep between two looks; also how soon a renewal that did not work is tried again. */
const LOOK_EVERY_MS = 60_000;
const MIN_SLEEP_MS = 1_000;

/** Renews the certificates of the machine's other programs at two thirds of their life. They keep their keys, and take the new file by themselves. */
export class MachineCertificatesLoop implements Loop {
  readonly #options: MachineCertificatesOptions;
  #known: readonly MachineCertificate[] = [];

  constructor(options: MachineCertificatesOptions) {
    this.#options = options;
  }

  /** As of the last look. */
  get certificates(): readonly MachineCertificate[] {
    return this.#known;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      await this.#look().catch((error: unknown) => { log.warn({ err: error }, 'certificates of the machine were not looked at'); });
      await clock.sleep(this.#sleepMs(), signal).catch(() => { /* the loop's condition sees the signal */ });
    }
  }

  async #look(): Promise<void> {
    const { configDir, clock, log, refresh } = this.#options;
    const found = await listMachineCertificates(configDir, (folder, error) => { log.error({ err: error, certificate: folder }, 'certificate of the machine cannot be read'); });
    for (const certificate of found.filter(one => renewAtMs(one) <= clock.nowMs())) {
      try {
        await renewMachineCertificate(configDir, certificate, clock.nowMs());
        log.info({ certificate: certificate.folder }, 'certificate of the machine renewed');
      } catch (error) {
        log.error({ err: error, certificate: certificate.folder, endsAt: new Date(certificate.notAfterMs).toISOString() }, 'certificate of the machine not renewed; tried again');
      }
    }
    this.#known = await listMachineCertificates(configDir, () => { /* logged above */ });
    await refresh();
  }

  #sleepMs(): number {
    const nextMs = Math.min(...this.#known.map(one => renewAtMs(one) - this.#options.clock.nowMs()).filter(dueInMs => dueInMs > 0), LOOK_EVERY_MS);
    return Math.max(nextMs, MIN_SLEEP_MS);
  }
}
