import { createSigningRequest, requestForKey } from '#identity/certificate-authority.ts';
import { isExpired, readCertificate, renewAtMs } from '#identity/certificate-rules.ts';
import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { isClusterError } from '#model/errors.ts';
import type { NodeIdentity } from './identity-fs.ts';
import type { ControllerDialer } from './ports.ts';

export interface CertificateParts {
  readonly dialer: Pick<ControllerDialer, 'renew' | 'renewExpired'>;
  /** Of the controller with an open session; undefined while there is none. */
  readonly controllerAddress: () => string | undefined;
  /** Where a node whose certificate has ended gets another one. */
  readonly joinAddresses: () => readonly string[];
  /** The cluster has removed this node. */
  readonly refused: (message: string) => Promise<void>;
  /** Keeps the new identity on disk and uses it from the next dial on. */
  readonly adopt: (identity: NodeIdentity) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Longest sleep: the wall clock may jump. */
const LOOK_EVERY_MS = 60_000;
/** How soon a renewal that did not work is tried again. */
const RETRY_MS = 10_000;
const RENEW_TIMEOUT_MS = 30_000;

/**
 * Renews the node's certificate once two thirds of its life have passed. One that has ended opens no session: the node then proves its key
 * at a join listener, until it has another certificate.
 */
export class CertificateLoop {
  readonly #parts: CertificateParts;
  #identity: NodeIdentity;

  constructor(parts: CertificateParts, identity: NodeIdentity) {
    this.#parts = parts;
    this.#identity = identity;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    while (!signal.aborted) {
      if (this.#dueInMs() <= 0) {
        await this.#tryToRenew(signal);
      }
      const dueInMs = this.#dueInMs();
      await clock.sleep(dueInMs > 0 ? Math.min(dueInMs, LOOK_EVERY_MS) : RETRY_MS, signal).catch(() => { /* the loop's condition sees the signal */ });
    }
  }

  #dueInMs(): number {
    return renewAtMs(readCertificate(this.#identity.certificatePem)) - this.#parts.clock.nowMs();
  }

  async #tryToRenew(signal: AbortSignal): Promise<void> {
    const { clock, controllerAddress, log } = this.#parts;
    const address = controllerAddress();
    if (address !== undefined) {
      await this.#renew(address).catch((error: unknown) => { log.warn({ err: error, controller: address }, 'certificate not renewed; tried again'); });
    } else if (isExpired(readCertificate(this.#identity.certificatePem), clock.nowMs())) {
      await this.#renewExpired(signal);
    }
  }

  async #renew(address: string): Promise<void> {
    const { csrPem, keyPem } = await createSigningRequest();
    const issued = await this.#parts.dialer.renew(address, csrPem, AbortSignal.timeout(RENEW_TIMEOUT_MS));
    await this.#take({ caPem: issued.caPem, certificatePem: issued.certificatePem, keyPem });
    this.#parts.log.info({ controller: address }, 'certificate renewed');
  }

  /** At the first controller that answers, for the key that the node has. */
  async #renewExpired(signal: AbortSignal): Promise<void> {
    const { dialer, joinAddresses, log, refused } = this.#parts;
    const { keyPem } = this.#identity;
    const csrPem = await requestForKey(keyPem);
    for (const address of joinAddresses()) {
      try {
        const issued = await dialer.renewExpired(address, csrPem, AbortSignal.any([signal, AbortSignal.timeout(RENEW_TIMEOUT_MS)]));
        await this.#take({ caPem: issued.caPem, certificatePem: issued.certificatePem, keyPem });
        log.info({ controller: address }, 'certificate renewed after its end');
        return;
      } catch (error) {
        log.warn({ err: error, controller: address }, 'certificate not renewed after its end; tried again');
        if (isClusterError(error, 'PERMISSION_DENIED')) {
          await refused(error.message);
          return;
        }
      }
    }
  }

  async #take(identity: NodeIdentity): Promise<void> {
    await this.#parts.adopt(identity);
    this.#identity = identity;
  }
}
