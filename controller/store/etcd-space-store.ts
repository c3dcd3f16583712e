/** Reads and reclaims the space of a real etcd, member by member. Uses connections of its own: a member in defragmentation answers nothing. */
import { get as getPlain } from 'node:http';
import { get as getSecure } from 'node:https';
import { text } from 'node:stream/consumers';
import { noop } from 'cockatiel';
import { Etcd3, GRPCOutOfRangeError } from 'etcd3';
import type { EtcdAccess, EtcdTls } from './etcd-members-store.ts';
import type { EtcdMemberSpace, EtcdSpace } from './etcd-space.ts';
import type { SpaceKeeper } from './ports.ts';

const CALL_MS = 3_000;
/** Compaction and defragmentation of a file of 8 GiB, the largest that etcd advises. */
const RECLAIM_MS = 120_000;
/** Source: etcd, "Metrics": the gauge of `--quota-backend-bytes`. */
const QUOTA = /^etcd_server_quota_backend_bytes (\S+)$/m;

/** Rules: `ports.ts`. */
export class EtcdSpaceStore implements SpaceKeeper {
  #access: EtcdAccess;
  #clients: ReadonlyMap<string, Etcd3>;

  constructor(access: EtcdAccess) {
    this.#access = access;
    this.#clients = connect(access);
  }

  /** New calls show this certificate. */
  useTls(tls: EtcdTls): void {
    this.close();
    this.#access = { ...this.#access, tls };
    this.#clients = connect(this.#access);
  }

  async read(): Promise<EtcdSpace> {
    const answers = await Promise.allSettled([...this.#clients].map(async ([host, client]) => await this.#readMember(host, client)));
    const read = answers.flatMap(answer => (answer.status === 'fulfilled' ? [answer.value] : []));
    return {
      etcdRevision: Math.max(0, ...read.map(one => one.etcdRevision)),
      members: read.map(one => one.member),
      isOutOfSpace: read.some(one => one.isOutOfSpace),
    };
  }

  async compact(etcdRevision: number): Promise<void> {
    try {
      await this.#any(async client => await client.kv.compact({ revision: etcdRevision, physical: true }, { deadline: Date.now() + RECLAIM_MS }));
    } catch (error) {
      // Compacted at this revision or a later one already.
      if (!(error instanceof GRPCOutOfRangeError)) throw error;
    }
  }

  async defragment(host: string): Promise<void> {
    await this.#clients.get(host)?.maintenance.defragment({ deadline: Date.now() + RECLAIM_MS });
  }

  async disarm(): Promise<void> {
    await this.#any(async client => {
      const { alarms } = await client.maintenance.alarm({ action: 'Get', alarm: 'Nospace' }, { deadline: Date.now() + CALL_MS });
      for (const { memberID } of alarms.filter(one => one.alarm === 'Nospace')) {
        await client.maintenance.alarm({ action: 'Deactivate', alarm: 'Nospace', memberID }, { deadline: Date.now() + CALL_MS });
      }
    });
  }

  close(): void {
    this.#clients.forEach(client => { client.close(); });
  }

  async #readMember(host: string, client: Etcd3): Promise<MemberReading> {
    const [status, quotaBytes] = await Promise.all([
      client.maintenance.status({ deadline: Date.now() + CALL_MS }), this.#readQuota(host).catch(() => undefined),
    ]);
    return {
      etcdRevision: Number(status.header.revision),
      isOutOfSpace: status.errors.some(error => error.includes('NOSPACE')),
      member: { host, sizeBytes: Number(status.dbSize), inUseBytes: Number(status.dbSizeInUse), quotaBytes },
    };
  }

  /** etcd 3.5 serves its quota only among its metrics, at the address for clients. */
  async #readQuota(host: string): Promise<number | undefined> {
    const { tls } = this.#access;
    const body = await new Promise<string>((resolve, reject) => {
      const options = { signal: AbortSignal.timeout(CALL_MS), ...(tls === undefined ? {} : { ca: tls.caPem, cert: tls.certificatePem, key: tls.keyPem }) };
      const get = host.startsWith('https:') ? getSecure : getPlain;
      get(new URL('/metrics', host), options, answer => { text(answer).then(resolve, reject); }).on('error', reject);
    });
    const quota = Number(QUOTA.exec(body)?.[1]);
    return quota > 0 ? quota : undefined;
  }

  /** Asks one member after another until one answers. */
  async #any<T>(call: (client: Etcd3) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const client of this.#clients.values()) {
      try {
        return await call(client);
      } catch (error) {
        if (error instanceof GRPCOutOfRangeError) throw error;
        failure = error;
      }
    }
    throw failure instanceof Error ? failure : new Error('no member of etcd is given');
  }
}

interface MemberReading {
  readonly etcdRevision: number;
  readonly isOutOfSpace: boolean;
  readonly member: EtcdMemberSpace;
}

function connect({ hosts, tls }: EtcdAccess): ReadonlyMap<string, Etcd3> {
  return new Map([...hosts].sort().map(host => [host, new Etcd3({
    hosts: [host],
    faultHandling: { host: () => noop, global: noop },
    ...(tls === undefined ? {} : { credentials: { rootCertificate: tls.caPem, certChain: tls.certificatePem, privateKey: tls.keyPem } }),
  })]));
}
