import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { createSigningRequest } from '#identity/certificate-authority.ts';
import { readCertificate, renewAtMs } from '#identity/certificate-rules.ts';
import type { NodeIdentity } from './identity-fs.ts';
import type { ControllerDialer } from './ports.ts';

export interface CertificateParts {
  readonly dialer: Pick<ControllerDialer, 'renew'>;
  /** Of the controller with an open session; undefined while there is none. */
  readonly controllerAddress: () => string | undefined;
  /** Keeps the new identity on disk and uses it from the next dial on. */
  readonly adopt: (identity: NodeIdentity) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Also how soon a renewal that did not work is tried again. */
const LOOK_EVERY_MS = 60_000;
const RENEW_TIMEOUT_MS = 30_000;

/** Renews the node's certificate once two thirds of its life have passed. */
export class CertificateLoop {
  readonly #parts: CertificateParts;
  #certificatePem: string;

  constructor(parts: CertificateParts, certificatePem: string) {
    this.#parts = parts;
    this.#certificatePem = certificatePem;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    while (!signal.aborted) {
      const dueInMs = renewAtMs(readCertificate(this.#certificatePem)) - clock.nowMs();
      const address = this.#parts.controllerAddress();
      if (dueInMs <= 0 && address !== undefined) {
        try {
          await this.#renew(address);
          continue;
        } catch (error) {
          log.warn({ err: error, controller: address }, 'certificate not renewed; tried again');
        }
      }
      await clock.sleep(dueInMs > 0 ? Math.min(dueInMs, LOOK_EVERY_MS) : LOOK_EVERY_MS / 6, signal).catch(() => { /* the loop's condition sees the signal */ });
    }
  }

  async #renew(address: string): Promise<void> {
    const { csrPem, keyPem } = await createSigningRequest();
    const issued = await this.#parts.dialer.renew(address, csrPem, AbortSignal.timeout(RENEW_TIMEOUT_MS));
    await this.#parts.adopt({ caPem: issued.caPem, certificatePem: issued.certificatePem, keyPem });
    this.#certificatePem = issued.certificatePem;
    this.#parts.log.info({ controller: address }, 'certificate renewed');
  }
}
