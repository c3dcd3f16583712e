import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '#kit/clock.ts';
import { requireCommand, runCommand, startProcess } from '#kit/command-process.ts';
import type { CommandOutcome } from '#kit/command-process.ts';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import { listClusters, readClusterFile, withReservation, writeClusterFile } from '../../cli/dev/cluster-fs.ts';
import { applyHostRules, createHubNetwork, createMountNamespaces, setSetting } from '../../cli/dev/hub-network-process.ts';
import { devLayout, portsOf } from '../../cli/dev/layout.ts';
import type { DevLayout } from '../../cli/dev/layout.ts';
import { findFreePorts, findFreeUnderlay } from '../../cli/dev/machine-process.ts';
import { makeRunDir } from '../../cli/dev/run-dir-process.ts';
import { findLeftovers } from './leftovers.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const BIN = path.join(ROOT, 'deploy/bin');
const SEARCH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Past those that `devLayout` names: etcd's client and peer port of three members, and NATS. */
const PORTS = 4 + 3 * 3 + 3 * 2;

/** One network of machines in namespaces, on which a test sets up a cluster by hand, as deploy/README.md says. */
export class HandMadeCluster {
  readonly layout: DevLayout;
  readonly home: string;
  /** Ports of this machine that nobody else of the local clusters uses. */
  readonly extraPorts: readonly number[];
  readonly #children = new Map<string, ChildProcess>();

  private constructor(layout: DevLayout, extraPorts: readonly number[]) {
    this.layout = layout;
    this.extraPorts = extraPorts;
    this.home = mkdtempSync(path.join(tmpdir(), 'gantry-home-'));
  }

  static async create(nodeCount: number): Promise<HandMadeCluster> {
    const name = `p${process.pid.toString(36)}${Math.random().toString(36).slice(2, 5)}`;
    const waiting = { clock: systemClock, signal: new AbortController().signal };
    const made = await withReservation(waiting, async () => {
      const others = (await Promise.all((await listClusters()).map(async other => await readClusterFile(other)))).filter(file => file !== undefined);
      const ports = await findFreePorts(PORTS, new Set(others.flatMap(file => portsOf(file.layout))));
      const layout = devLayout({ name, underlayIndex: await findFreeUnderlay(new Set(others.map(file => file.layout.underlayIndex))), nodeCount, controllerCount: 3, ports });
      mkdirSync(layout.stateDir, { recursive: true, mode: 0o711 });
      await makeRunDir(layout.runDir);
      await writeClusterFile({ layout, processes: [], previousSettings: {}, links: [] });
      return new HandMadeCluster(layout, ports.slice(4 + 3 * 3));
    });
    const { layout } = made;
    await createHubNetwork(layout);
    await setSetting('net.ipv4.ip_forward', '1');
    await createMountNamespaces(layout);
    await applyHostRules({ table: layout.hostTable, link: layout.hostLink, underlay: layout.underlay, ports: [], nodes: [] });
    return made;
  }

  /** Starts a program that ends with the test; on node `node`, when one is named. A relative program is one of deploy/bin. */
  start(name: string, command: readonly string[], options: { readonly node?: string; readonly environment?: Readonly<Record<string, string>> } = {}): void {
    const [program = '', ...args] = [...this.#enter(options.node), ...command.map((word, index) => (index === 0 && !word.startsWith('/') && word.startsWith('gantry-') ? `${BIN}/${word}` : word))];
    const log = openSync(this.logFile(name), 'a');
    this.#children.set(name, startProcess(program, args, { stdio: ['ignore', log, log], cwd: '/', env: { PATH: SEARCH, LC_ALL: 'C', ...options.environment } }));
  }

  logFile(name: string): string {
    return path.join(this.layout.stateDir, `${name}.log`);
  }

  /** Ends it and waits for its end. */
  async stop(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#children.get(name);
    this.#children.delete(name);
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await once(child, 'exit');
    }
  }

  /** Runs a command to its end, on a node when one is named. */
  async run(command: readonly string[], node?: string): Promise<CommandOutcome> {
    const [program = '', ...args] = [...this.#enter(node), ...command];
    return await runCommand(program, args, { timeoutMs: 120_000, environment: { HOME: this.home, NO_COLOR: '1', PATH: `${BIN}:${SEARCH}` } });
  }

  /** Like `run`; answers standard output. @throws Error when it fails */
  async must(command: readonly string[], node?: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(command, node);
    if (exitCode !== 0) {
      throw new Error(`${command.join(' ')}: ${stderr}${stdout}`);
    }
    return stdout;
  }

  /** Where the registry has what was pushed to it, and its configuration. */
  get registryDirectory(): string {
    return path.join(this.layout.stateDir, 'registry');
  }

  /** A registry with a CA of its own, and the image hello:1 in it. With `isLogged`, its log has a line for each request. */
  async startRegistry({ isLogged = false }: { readonly isLogged?: boolean } = {}): Promise<{ readonly address: string; readonly caFile: string; readonly digest: string }> {
    const directory = this.registryDirectory;
    const { hostAddress, registryPort } = this.layout;
    const address = `${hostAddress}:${String(registryPort)}`;
    const caFile = path.join(directory, 'ca.pem');
    mkdirSync(path.join(directory, 'data'), { recursive: true });
    const authority = await createAuthority('registry of a test', Date.now());
    const pair = await issueCertificate(authority, { role: 'controller', name: 'registry', dnsNames: [], ipAddresses: [hostAddress] }, { nowMs: Date.now() });
    writeFileSync(caFile, authority.certificatePem);
    writeFileSync(path.join(directory, 'certificate.pem'), pair.certificatePem);
    writeFileSync(path.join(directory, 'key.pem'), pair.keyPem, { mode: 0o600 });
    writeFileSync(path.join(directory, 'config.yml'), [
      'version: 0.1', `log: { level: warn, accesslog: { disabled: ${String(!isLogged)} } }`, `storage: { filesystem: { rootdirectory: ${directory}/data } }`,
      `http: { addr: "${address}", tls: { certificate: ${directory}/certificate.pem, key: ${directory}/key.pem } }`, '',
    ].join('\n'));
    this.start('registry', ['docker-registry', 'serve', path.join(directory, 'config.yml')]);
    await requireCommand('curl', ['-s', '--retry', '20', '--retry-connrefused', '--retry-delay', '0', '--cacert', caFile, `https://${address}/v2/`]);
    await requireCommand(`${BIN}/node`, [path.join(ROOT, 'deploy/examples/build-images.ts'), address, caFile, 'hello'], { timeoutMs: 120_000 });
    const headers = await requireCommand('curl', ['-sI', '--cacert', caFile, '-H', 'Accept: application/vnd.oci.image.manifest.v1+json', `https://${address}/v2/hello/manifests/1`]);
    return { address, caFile, digest: /docker-content-digest: (\S+)/i.exec(headers)?.[1] ?? '' };
  }

  logs(): string {
    return [...this.#children.keys()].map(name => `--- ${name}\n${readFileSync(this.logFile(name), 'utf8').slice(-2_000)}`).join('\n');
  }

  /** Everything gone. @returns what is left */
  async remove(): Promise<readonly string[]> {
    for (const name of this.#children.keys()) {
      await this.stop(name);
    }
    await this.run([`${BIN}/clusterctl`, 'dev', 'down', this.layout.name]);
    rmSync(this.home, { recursive: true, force: true });
    return await findLeftovers(this.layout);
  }

  #enter(node: string | undefined): readonly string[] {
    return node === undefined ? [] : ['nsenter', `--net=/run/netns/gantry-${this.layout.name}-${node}`, `--mount=${this.layout.runDir}/mnt/${node}`, '--'];
  }
}
