import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { requireCommand, runCommand, startProcess } from '#kit/command-process.ts';
import type { DevLayout } from '../../cli/dev/layout.ts';

/**
 * A machine of the LAN of a local cluster. It has a route to what is behind the first node. A process holds its network
 * namespace and exits with this one.
 */
export class LanHost implements AsyncDisposable {
  readonly address: string;
  /** Arguments of nsenter that run a program there. */
  readonly inside: readonly string[];
  readonly #layout: DevLayout;
  readonly #holder: ChildProcess;

  private constructor(layout: DevLayout, holder: ChildProcess) {
    this.#layout = layout;
    this.#holder = holder;
    this.address = layout.hostAddress.replace(/\.1$/, '.250');
    this.inside = [`--net=/proc/${String(holder.pid)}/ns/net`];
  }

  /** @param also  more addresses of it, to which the first node has a route */
  static async join(layout: DevLayout, also: readonly string[] = []): Promise<LanHost> {
    // `cat` exits at the end of its input: when this process ends, too.
    const holder = startProcess('unshare', ['--net', 'sh', '-c', 'echo ready; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (holder.stdout === null) throw new Error('unshare did not start');
    await once(holder.stdout, 'data');
    const host = new LanHost(layout, holder);
    await host.#connect(also);
    return host;
  }

  async #connect(also: readonly string[]): Promise<void> {
    const node = this.#layout.nodes[0];
    const ip = async (...args: readonly string[]): Promise<void> => { await requireCommand('ip', args); };
    const ipInside = async (...args: readonly string[]): Promise<void> => { await requireCommand('nsenter', [...this.inside, 'ip', ...args]); };
    await ip('-n', this.#layout.hubNamespace, 'link', 'add', 'lan', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(this.#holder.pid));
    await ip('-n', this.#layout.hubNamespace, 'link', 'set', 'lan', 'master', 'br0', 'up');
    await ipInside('link', 'set', 'lo', 'up');
    await ipInside('addr', 'add', `${this.address}/24`, 'dev', 'eth0');
    await ipInside('link', 'set', 'eth0', 'up');
    await ipInside('route', 'add', 'default', 'via', node?.address ?? '');
    for (const address of also) {
      await ipInside('addr', 'add', `${address}/32`, 'dev', 'lo');
      await ip('-n', node?.networkNamespace ?? '', 'route', 'add', `${address}/32`, 'via', this.address);
    }
  }

  /** Returns those of `host:port` that accept a connection. */
  async reached(targets: readonly string[]): Promise<readonly string[]> {
    return await reachedFrom(this.inside, targets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runCommand('ip', ['-n', this.#layout.hubNamespace, 'link', 'del', 'lan']);
    const ended = once(this.#holder, 'close');
    this.#holder.stdin?.end();
    await ended;
  }
}

/** Returns those of `host:port` that accept a connection within 2 s. @param inside  arguments of nsenter */
export async function reachedFrom(inside: readonly string[], targets: readonly string[]): Promise<readonly string[]> {
  const dial = 'for at; do busybox nc -w 2 "${at%:*}" "${at#*:}" </dev/null >/dev/null 2>&1 && echo "$at" & done; wait';
  const { stdout } = await runCommand('nsenter', [...inside, 'sh', '-c', dial, 'sh', ...targets], { timeoutMs: 60_000 });
  return stdout.split('\n').filter(line => line !== '').sort();
}
