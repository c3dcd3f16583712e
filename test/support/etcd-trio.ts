import { mkdirSync, writeFileSync } from 'node:fs';
import { requireCommand, runCommand } from '#kit/command-process.ts';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import type { KeyPair } from '#identity/certificate-authority.ts';
import { killDevProcess } from '../../cli/dev/dev-fault-flow.ts';
import { EtcdStore } from '../../controller/store/etcd-store.ts';
import type { DevCluster } from './dev-cluster.ts';
import { eventually } from './dev-cluster.ts';
import { commandOf, HandRun, identityOf } from './node-faults.ts';
import type { Command } from './node-faults.ts';

const CLIENT_PORT = 2379;
const PEER_PORT = 2380;
/** Last octet of the first member's address: those of nodes begin at 10. */
const FIRST_ADDRESS = 200;
const CUT_TABLE = 'gantry_cut';

interface TrioMember {
  readonly name: string;
  readonly address: string;
  readonly url: string;
  readonly networkNamespace: string;
}

/**
 * Three members of etcd in the place of a local cluster's only one, with what that held, each with a network of its own on the cluster's bridge; the
 * controllers are run by hand, with the members that the test gives them.
 */
export class EtcdTrio {
  readonly members: readonly TrioMember[];
  readonly #cluster: DevCluster;
  readonly #pki: string;
  readonly #controllers: ReadonlyMap<string, Command>;
  readonly #runs = new Map<string, HandRun>();
  readonly #keys: { caPem: Buffer; certificatePem: Buffer; keyPem: Buffer };

  private constructor(cluster: DevCluster, controllers: ReadonlyMap<string, Command>, { caPem, client }: { readonly caPem: string; readonly client: KeyPair }) {
    this.#cluster = cluster;
    this.members = membersOf(cluster);
    this.#pki = pkiOf(cluster);
    this.#controllers = controllers;
    this.#keys = { caPem: Buffer.from(caPem), certificatePem: Buffer.from(client.certificatePem), keyPem: Buffer.from(client.keyPem) };
  }

  /** Ends the cluster's etcd and controllers, and starts the members; then start each controller. */
  static async instead(cluster: DevCluster): Promise<EtcdTrio> {
    const { layout } = cluster;
    const controllers = new Map(layout.controllers.map(({ name }) => [name, commandOf(cluster, name)]));
    for (const { name } of layout.controllers) await endSupervised(cluster, name);
    const backup = `${layout.stateDir}/trio.db`;
    await etcdctl(`https://127.0.0.1:${String(layout.etcdPort)}`, `${layout.stateDir}/pki/etcd-client`, 'snapshot', 'save', backup);
    await endSupervised(cluster, 'etcd');
    const trio = new EtcdTrio(cluster, controllers, await writeKeys(cluster));
    try {
      for (const member of trio.members) await trio.#make(member, backup);
      for (const { name } of trio.members) trio.startMember(name);
      await eventually('the members to elect a leader', 60_000, async () => await trio.leader());
    } catch (error) {
      await trio.close();
      throw error;
    }
    return trio;
  }

  /** A store that knows all members. */
  store(): EtcdStore {
    return new EtcdStore({ hosts: this.members.map(({ url }) => url), tls: this.#keys });
  }

  /** Runs a controller that knows these addresses of etcd alone. */
  startController(name: string, hosts: readonly string[] = this.members.map(({ url }) => url)): HandRun {
    const command = this.#controllers.get(name);
    if (command === undefined) {
      throw new Error(`no controller ${name}`);
    }
    const { argv, environment } = command;
    const keys = `${this.#pki}/client`;
    const run = new HandRun(this.#cluster, name, {
      argv: [...argv, '--etcd', hosts.join(','), '--etcd-ca', `${keys}/ca.pem`, '--etcd-cert', `${keys}/certificate.pem`, '--etcd-key', `${keys}/key.pem`], environment,
    });
    this.#runs.set(name, run);
    return run;
  }

  startMember(name: string): void {
    const member = this.#member(name);
    const [client, peer] = [member.url, peerOf(member)];
    const keys = `${this.#pki}/server`;
    this.#runs.set(name, new HandRun(this.#cluster, name, {
      argv: [
        'nsenter', `--net=/run/netns/${member.networkNamespace}`, 'etcd', '--name', name, '--data-dir', this.#dataOf(name), '--log-level', 'warn',
        '--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer,
        '--initial-cluster', this.#peers(), '--client-cert-auth', '--peer-client-cert-auth',
        ...['', 'peer-'].flatMap(part => [`--${part}trusted-ca-file`, `${keys}/ca.pem`, `--${part}cert-file`, `${keys}/certificate.pem`, `--${part}key-file`, `${keys}/key.pem`]),
      ],
      environment: {},
    }));
  }

  /** Kills a member or a controller with -9. */
  async kill(name: string): Promise<void> {
    await this.#runs.get(name)?.kill();
  }

  /** The member that leads, as those say that answer; undefined while none does. */
  async leader(): Promise<TrioMember | undefined> {
    for (const member of this.members) {
      const { exitCode, stdout } = await runCommand('etcdctl', etcdctlArgs(member.url, `${this.#pki}/client`, 'endpoint', 'status', '-w', 'json'), { timeoutMs: 5_000 });
      const [answer] = exitCode === 0 ? JSON.parse(stdout) as readonly { readonly Status: { readonly leader?: number; readonly header: { readonly member_id: number } } }[] : [];
      if (answer !== undefined && answer.Status.leader === answer.Status.header.member_id) return member;
    }
    return undefined;
  }

  /** Cuts a member off from the others; clients reach it as before. */
  async cut(name: string): Promise<void> {
    const others = this.members.filter(one => one.name !== name).map(({ address }) => address).join(', ');
    const chain = (hook: string, side: string): string => `chain ${hook} { type filter hook ${hook} priority 0; policy accept; ip ${side} { ${others} } drop; }`;
    await this.#inside(name, 'nft', `table ip ${CUT_TABLE} {\n${chain('input', 'saddr')}\n${chain('output', 'daddr')}\n}`);
  }

  async heal(name: string): Promise<void> {
    await this.#inside(name, 'nft', `delete table ip ${CUT_TABLE}`);
  }

  /** Before the cluster goes. */
  async close(): Promise<void> {
    for (const run of this.#runs.values()) await run.kill();
    for (const { networkNamespace } of this.members) await runCommand('ip', ['netns', 'del', networkNamespace]);
  }

  async #inside(name: string, program: string, input: string): Promise<void> {
    await requireCommand('nsenter', [`--net=/run/netns/${this.#member(name).networkNamespace}`, program, '-f', '-'], { input: `${input}\n` });
  }

  async #make(member: TrioMember, backup: string): Promise<void> {
    const { hubNamespace } = this.#cluster.layout;
    const { name, networkNamespace: namespace } = member;
    await requireCommand('ip', ['netns', 'add', namespace]);
    await requireCommand('ip', ['-n', hubNamespace, 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
    await requireCommand('ip', ['-n', hubNamespace, 'link', 'set', name, 'master', 'br0', 'up']);
    await requireCommand('ip', ['-n', namespace, '-batch', '-'], { input: `link set lo up\naddr add ${member.address}/24 dev eth0\nlink set eth0 up\n` });
    await requireCommand('etcdutl', ['snapshot', 'restore', backup, '--data-dir', this.#dataOf(name), '--name', name, '--initial-cluster', this.#peers(), '--initial-advertise-peer-urls', peerOf(member)]);
  }

  #peers(): string {
    return this.members.map(member => `${member.name}=${peerOf(member)}`).join(',');
  }

  #dataOf(name: string): string {
    return `${this.#cluster.layout.stateDir}/etcd-${name}`;
  }

  #member(name: string): TrioMember {
    const member = this.members.find(one => one.name === name);
    if (member === undefined) {
      throw new Error(`no member ${name}`);
    }
    return member;
  }
}

function membersOf({ layout }: DevCluster): readonly TrioMember[] {
  const network = layout.hostAddress.slice(0, layout.hostAddress.lastIndexOf('.'));
  return [1, 2, 3].map(index => {
    const address = `${network}.${String(FIRST_ADDRESS + index)}`;
    return { name: `m${String(index)}`, address, url: `https://${address}:${String(CLIENT_PORT)}`, networkNamespace: `gantry-${layout.name}-m${String(index)}` };
  });
}

function peerOf({ address }: TrioMember): string {
  return `https://${address}:${String(PEER_PORT)}`;
}

function pkiOf({ layout }: DevCluster): string {
  return `${layout.stateDir}/pki/trio`;
}

async function endSupervised(cluster: DevCluster, name: string): Promise<void> {
  const { pid = 0 } = cluster.process(name);
  await killDevProcess(cluster.name, name);
  await eventually(`${name} gone`, 60_000, () => identityOf(pid) === '');
}

/** Keys of the members and of their clients, by an authority of their own. */
async function writeKeys(cluster: DevCluster): Promise<{ readonly caPem: string; readonly client: KeyPair }> {
  const nowMs = Date.now();
  const authority = await createAuthority('trio', nowMs);
  const write = async (name: string): Promise<KeyPair> => {
    const pair = await issueCertificate(authority, { role: 'controller', name, dnsNames: [], ipAddresses: ['127.0.0.1', ...membersOf(cluster).map(({ address }) => address)] }, { nowMs });
    const folder = `${pkiOf(cluster)}/${name}`;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(`${folder}/ca.pem`, authority.certificatePem);
    writeFileSync(`${folder}/certificate.pem`, pair.certificatePem);
    writeFileSync(`${folder}/key.pem`, pair.keyPem, { mode: 0o600 });
    return pair;
  };
  await write('server');
  return { caPem: authority.certificatePem, client: await write('client') };
}

function etcdctlArgs(endpoint: string, keys: string, ...args: readonly string[]): readonly string[] {
  return ['--endpoints', endpoint, '--cacert', `${keys}/ca.pem`, '--cert', `${keys}/certificate.pem`, '--key', `${keys}/key.pem`, ...args];
}

async function etcdctl(endpoint: string, keys: string, ...args: readonly string[]): Promise<void> {
  await requireCommand('etcdctl', etcdctlArgs(endpoint, keys, ...args), { timeoutMs: 60_000 });
}
