import path from 'node:path';
import type { EndpointSet } from '#model/endpoints.ts';
import type { Clock } from '#kit/clock.ts';
import { dnsmasqArgs } from './dnsmasq-args.ts';
import { findDnsmasq, signalDnsmasq, startDnsmasq, startFailure } from './dnsmasq-process.ts';
import { hostFiles } from './host-names.ts';
import { HostsDirectory, isOpenToAll } from './hosts-fs.ts';
import type { NodeDns } from './ports.ts';
import { isAnswering } from './question-client.ts';
import { renderResolvConf } from './resolv-conf.ts';

export interface NodeDnsOptions {
  /** Directory of the DNS of this node: hosts files, pid file, log. */
  readonly directory: string;
  /** Name servers for all names outside the cluster. */
  readonly upstreams: readonly string[];
}

const POLL_MS = 50;
const START_TIMEOUT_MS = 5_000;
const STOP_TIMEOUT_MS = 3_000;
/** Unprivileged account; if it cannot search the directory, dnsmasq stays root. */
const UNPRIVILEGED_USER = 'nobody';

/**
 * Resolves names of the cluster with a dnsmasq of the node. It keeps running when the agent is
 * killed; the next agent finds it by its pid file and command line.
 */
export class DnsmasqNodeDns implements NodeDns {
  readonly #options: NodeDnsOptions;
  readonly #clock: Clock;
  readonly #hosts: HostsDirectory;
  readonly #pidFile: string;
  readonly #logFile: string;
  #gatewayAddress = '';
  /**
   * True if the server did not answer at the last audit; on a busy machine, one missing answer
   * proves nothing.
   */
  #wasSilent = false;

  constructor(options: NodeDnsOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#hosts = new HostsDirectory(options.directory);
    this.#pidFile = path.join(options.directory, 'dnsmasq.pid');
    this.#logFile = path.join(options.directory, 'dnsmasq.log');
  }

  async ensureRunning(gatewayAddress: string, signal: AbortSignal): Promise<void> {
    this.#gatewayAddress = gatewayAddress;
    this.#hosts.create();
    const args = await this.#args();
    const running = await findDnsmasq(this.#pidFile, args);
    if (running?.is === 'same') {
      return;
    }
    if (running !== undefined) {
      await this.#stop(signal);
    }
    await this.#start(args, signal);
  }

  async audit(signal: AbortSignal): Promise<readonly string[]> {
    if (this.#gatewayAddress === '') return [];
    const isRunning = (await findDnsmasq(this.#pidFile, await this.#args()))?.is === 'same';
    const isSilent = !isRunning || !await isAnswering(this.#gatewayAddress);
    const isDown = !isRunning || (isSilent && this.#wasSilent);
    this.#wasSilent = isSilent && !isDown;
    if (!isDown) return [];
    await this.#stop(signal);
    await this.ensureRunning(this.#gatewayAddress, signal);
    return ['name server'];
  }

  async #args(): Promise<readonly string[]> {
    const gatewayAddress = this.#gatewayAddress;
    return dnsmasqArgs({
      gatewayAddress, hostsDir: this.#hosts.hostsDir, pidFile: this.#pidFile,
      upstreams: this.#options.upstreams.filter(address => address !== gatewayAddress),
      user: await isOpenToAll(this.#hosts.hostsDir) ? UNPRIVILEGED_USER : 'root',
    });
  }

  /** Retries for a while: the socket of a killed server may not be free yet. */
  async #start(args: readonly string[], signal: AbortSignal): Promise<void> {
    const endMs = this.#clock.monotonicMs() + START_TIMEOUT_MS;
    let server = startDnsmasq(args, this.#logFile);
    while (await findDnsmasq(this.#pidFile, args) === undefined || !await isAnswering(this.#gatewayAddress)) {
      if (this.#clock.monotonicMs() > endMs) {
        throw await startFailure(this.#logFile);
      }
      await this.#clock.sleep(POLL_MS, signal);
      if (server.hasEnded()) {
        server = startDnsmasq(args, this.#logFile);
      }
    }
  }

  async apply(set: EndpointSet): Promise<void> {
    this.#hosts.create();
    this.#hosts.apply(hostFiles(set));
    await Promise.resolve();
  }

  resolvConf(namespace: string, app: string): string {
    return renderResolvConf(this.#gatewayAddress, namespace, app);
  }

  async tearDown(): Promise<void> {
    await this.#stop(new AbortController().signal);
    await this.#hosts.remove();
  }

  async #stop(signal: AbortSignal): Promise<void> {
    const endMs = this.#clock.monotonicMs() + STOP_TIMEOUT_MS;
    for (let running = await findDnsmasq(this.#pidFile, []); running !== undefined; running = await findDnsmasq(this.#pidFile, [])) {
      const lateMs = this.#clock.monotonicMs() - endMs;
      if (lateMs > STOP_TIMEOUT_MS) {
        throw new Error(`dnsmasq ${String(running.pid)} does not end`);
      }
      signalDnsmasq(running.pid, lateMs > 0 ? 'SIGKILL' : 'SIGTERM');
      await this.#clock.sleep(POLL_MS, signal);
    }
  }
}
