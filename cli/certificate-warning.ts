/** Warns while an operator can still renew the certificate of a context. */
import { CLOCK_SKEW_MS, isExpired, readCertificate } from '#identity/certificate-rules.ts';
import { quoted } from '#model/printable.ts';

const WARN_BEFORE_MS = 30 * 24 * 3_600_000;
/** Of a life so short that the days above are most of it. */
const WARN_PART_OF_LIFE = 1 / 3;

/** One line without an end; undefined while the certificate is good for long. */
export function certificateWarning(context: string, certificatePem: string, nowMs: number): string | undefined {
  const validity = readCertificate(certificatePem);
  const { notBeforeMs, notAfterMs } = validity;
  const atTime = new Date(notAfterMs).toISOString();
  if (isExpired(validity, nowMs)) {
    return `warning: the certificate of context ${quoted(context)} ended at ${atTime}; copy the one of /etc/gantry/operator from a controller's machine`;
  }
  const lifeMs = notAfterMs - notBeforeMs - CLOCK_SKEW_MS;
  if (notAfterMs - nowMs > Math.min(WARN_BEFORE_MS, lifeMs * WARN_PART_OF_LIFE)) {
    return undefined;
  }
  return `warning: the certificate of context ${quoted(context)} ends at ${atTime}; renew it with: clusterctl context renew ${context}`;
}
