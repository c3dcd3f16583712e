/** Docker as the one to compare with: a daemon of our own in a network namespace of its own, called over its API. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, globSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireCommand, runCommand } from '#kit/command-process.ts';
import { makeRunDir } from '../../cli/dev/run-dir-process.ts';
import { removeGroup } from '../support/docker-daemon.ts';

const START_LIMIT_MS = 30_000;
const API = '/v1.45';

/** A container that Docker makes of an image. */
export interface DockerContainer {
  readonly image: string;
  readonly command: readonly string[];
  /** Container port -> port of the machine. */
  readonly publish?: ReadonlyMap<number, number>;
}

/** @throws Error that says how to get Docker, unless it may be installed */
export async function requireDocker(mayInstall: boolean): Promise<void> {
  if ((await runCommand('sh', ['-c', 'command -v dockerd'])).exitCode === 0) {
    return;
  }
  if (!mayInstall) {
    throw new Error('this bench compares with Docker, which is not installed: add --install-peer, or `apt-get install docker.io` without starting it');
  }
  // Gantry runs a daemon of its own: the package is to start none. 101 = forbidden (Debian's invoke-rc.d policy).
  const policy = '/usr/sbin/policy-rc.d';
  await requireCommand('sh', ['-ec', `made=no; [ -e ${policy} ] || { printf '#!/bin/sh\\nexit 101\\n' > ${policy}; chmod 755 ${policy}; made=yes; }
    trap '[ $made = no ] || rm -f ${policy}' EXIT
    export DEBIAN_FRONTEND=noninteractive; apt-get update -qq; apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null`], { timeoutMs: 600_000 });
}

/** Bridge, data root, sockets, pid file and control group are its own; firewall rules and links are in a network namespace that goes with it. */
export class DockerPeer implements AsyncDisposable {
  readonly #home: string;
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #foreign: readonly string[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  private constructor(home: string, name: string, child: ChildProcess, foreign: readonly string[]) {
    this.#home = home;
    this.#name = name;
    this.#child = child;
    this.#foreign = foreign;
  }

  /** @param registry  `host:port`, whose certificate is not checked; reached by an address of its own on the hub's bridge, `address/24` */
  static async start(options: { readonly directory: string; readonly registry: string; readonly hub: { readonly namespace: string; readonly address: string; readonly gateway: string } }): Promise<DockerPeer> {
    const home = path.join(options.directory, 'docker');
    const name = `gantry-bench-${String(process.pid)}`;
    mkdirSync(home, { mode: 0o711 });
    await joinHub(name, options.hub);
    const foreign = ['/run/docker', '/opt/containerd'].filter(folder => !existsSync(folder));
    const log = openSync(`${home}/log`, 'a');
    await makeRunDir(`${home}/exec`);
    const child = spawn('nsenter', [`--net=/run/netns/${name}`, 'dockerd',
      '--data-root', `${home}/data`, '--exec-root', `${home}/exec`, '--pidfile', `${home}/docker.pid`, '--host', `unix://${home}/docker.sock`,
      '--ip6tables=false', '--insecure-registry', options.registry, '--cgroup-parent', `/${name}`, '--log-level=warn',
    ], { stdio: ['ignore', log, log] });
    closeSync(log);
    const peer = new DockerPeer(home, name, child, foreign);
    const deadline = performance.now() + START_LIMIT_MS;
    for (;;) {
      try {
        await peer.call('GET', '/_ping');
        return peer;
      } catch (error) {
        if (performance.now() > deadline || child.exitCode !== null) {
          const said = readFileSync(`${home}/log`, 'utf8').slice(-2_000);
          await peer[Symbol.asyncDispose]();
          throw new Error(`dockerd does not start: ${said}`, { cause: error });
        }
        await sleep(100);
      }
    }
  }

  /** Pid of dockerd; its children are containerd and the shims. */
  get pid(): number {
    return Number(readFileSync(`${this.#home}/docker.pid`, 'utf8'));
  }

  /** One call of the engine's API over a kept connection. @throws Error with the engine's words */
  async call(method: string, apiPath: string, body?: unknown): Promise<unknown> {
    const text = body === undefined ? '' : JSON.stringify(body);
    return await new Promise((resolve, reject) => {
      const call = request({ socketPath: `${this.#home}/docker.sock`, path: `${API}${apiPath}`, method, agent: this.#agent, headers: text === '' ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) } }, answer => {
        let said = '';
        answer.setEncoding('utf8').on('data', (part: string) => { said += part; }).on('end', () => {
          if ((answer.statusCode ?? 500) >= 400) {
            reject(new Error(`docker ${method} ${apiPath}: ${String(answer.statusCode)} ${said}`));
          } else {
            resolve(said.startsWith('{') || said.startsWith('[') ? tryParse(said) : said);
          }
        });
      });
      call.on('error', reject);
      call.end(text);
    });
  }

  async pull(image: string): Promise<void> {
    await requireCommand('docker', ['--host', `unix://${this.#home}/docker.sock`, 'pull', '--quiet', image], { timeoutMs: 60_000 });
  }

  /** An image that is not there is no failure. */
  async removeImage(image: string): Promise<void> {
    try {
      await this.call('DELETE', `/images/${image}?force=true`);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes(': 404 ')) throw error;
    }
  }

  /** Of the container's first process. */
  async pidOf(id: string): Promise<number> {
    const { State: state } = await this.call('GET', `/containers/${id}/json`) as { readonly State: { readonly Pid: number } };
    return state.Pid;
  }

  /** Creates and starts; resolves when the container runs. @returns its id */
  async run(container: DockerContainer): Promise<string> {
    const ports = [...container.publish ?? []];
    const { Id: id } = await this.call('POST', '/containers/create', {
      Image: container.image, Cmd: container.command, StopSignal: 'SIGKILL',
      ExposedPorts: Object.fromEntries(ports.map(([target]) => [`${String(target)}/tcp`, {}])),
      HostConfig: { PortBindings: Object.fromEntries(ports.map(([target, published]) => [`${String(target)}/tcp`, [{ HostPort: String(published) }]])) },
    }) as { readonly Id: string };
    await this.call('POST', `/containers/${id}/start`);
    return id;
  }

  /** Resolves when the container ended. */
  async wait(id: string): Promise<void> {
    await this.call('POST', `/containers/${id}/wait`);
  }

  async remove(id: string): Promise<void> {
    await this.call('DELETE', `/containers/${id}?force=true`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM');
      await once(this.#child, 'exit');
    }
    for (const group of globSync(`/sys/fs/cgroup/{,*/}${this.#name}`)) {
      removeGroup(group);
    }
    await runCommand('ip', ['netns', 'del', this.#name]);
    await runCommand('sh', ['-c', `grep -o '${this.#home}/[^ ]*' /proc/self/mountinfo | sort -r | xargs -r umount -l`]);
    [this.#home, ...this.#foreign].forEach(folder => { rmSync(folder, { recursive: true, force: true }); });
  }
}

/** A network namespace on the hub's bridge, so that the registry is reached. */
async function joinHub(name: string, hub: { readonly namespace: string; readonly address: string; readonly gateway: string }): Promise<void> {
  await requireCommand('ip', ['netns', 'add', name]);
  await requireCommand('ip', ['-n', hub.namespace, '-batch', '-'], { input: `link add peer type veth peer name eth0 netns ${name}\nlink set peer master br0 up\n` });
  await requireCommand('ip', ['-n', name, '-batch', '-'], { input: `link set lo up\naddr add ${hub.address}/24 dev eth0\nlink set eth0 up\nroute add default via ${hub.gateway}\n` });
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text; // progress, one object a line
  }
}
