import { authorityEnd, certificateEnd, renewAtMs } from '#identity/certificate-rules.ts';
import type { CertificateEnd } from '#identity/certificate-rules.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import type { EtcdTls } from '../store/etcd-members-store.ts';
import type { MachineCertificate } from './machine-certificates-fs.ts';

export interface KnownCertificates {
  readonly own: TlsIdentity;
  /** Shown to etcd; absent without TLS. */
  readonly etcd: EtcdTls | undefined;
  /** Those in folders of `--config-dir`. */
  readonly machine: readonly MachineCertificate[];
}

/**
 * The end of every certificate that a controller can see, one for each name. The certificate shown
 * to etcd comes before the file of a folder with the same name. Unreadable ones are left out.
 */
export function certificateEnds({ own, etcd, machine }: KnownCertificates): readonly CertificateEnd[] {
  const ends = [
    ...machine.map(one => ({ certificate: one.folder, notAfterMs: one.notAfterMs, renewAtMs: renewAtMs(one) })),
    ...read(() => certificateEnd('controller', own.pair?.certificatePem ?? '')),
    ...read(() => authorityEnd('ca', own.caPem)),
    ...(etcd === undefined ? [] : [
      ...read(() => certificateEnd('etcd-client', etcd.certificatePem.toString())),
      ...read(() => authorityEnd('etcd-ca', etcd.caPem.toString())),
    ]),
  ];
  return [...new Map(ends.map(end => [end.certificate, end])).values()];
}

function read(parse: () => CertificateEnd): readonly CertificateEnd[] {
  try {
    return [parse()];
  } catch {
    // Every dial with it fails with its own message.
    return [];
  }
}
