import { requireCommand, runCommand } from '#kit/command-process.ts';
import type { DevLayout } from '../../cli/dev/layout.ts';

/** A machine of the LAN of a local cluster, that has a route to what is behind the first node. Removed with the cluster at the latest. */
export class LanHost implements AsyncDisposable {
  readonly address: string;
  readonly #layout: DevLayout;
  readonly #name: string;

  private constructor(layout: DevLayout) {
    this.#layout = layout;
    this.#name = `gantry-${layout.name}-lan`;
    this.address = layout.hostAddress.replace(/\.1$/, '.250');
  }

  /** @param also  more addresses of it, to which the first node has a route */
  static async join(layout: DevLayout, also: readonly string[] = []): Promise<LanHost> {
    const host = new LanHost(layout);
    const node = layout.nodes[0];
    const ip = async (...args: readonly string[]): Promise<void> => { await requireCommand('ip', args); };
    await ip('netns', 'add', host.#name);
    await ip('-n', layout.hubNamespace, 'link', 'add', 'lan', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host.#name);
    await ip('-n', layout.hubNamespace, 'link', 'set', 'lan', 'master', 'br0', 'up');
    await ip('-n', host.#name, 'link', 'set', 'lo', 'up');
    await ip('-n', host.#name, 'addr', 'add', `${host.address}/24`, 'dev', 'eth0');
    await ip('-n', host.#name, 'link', 'set', 'eth0', 'up');
    await ip('-n', host.#name, 'route', 'add', 'default', 'via', node?.address ?? '');
    for (const address of also) {
      await ip('-n', host.#name, 'addr', 'add', `${address}/32`, 'dev', 'lo');
      await ip('-n', node?.networkNamespace ?? '', 'route', 'add', `${address}/32`, 'via', host.address);
    }
    return host;
  }

  /** Those of `host:port` that a connection is made to. */
  async reached(targets: readonly string[]): Promise<readonly string[]> {
    return await reachedFrom([`--net=/run/netns/${this.#name}`], targets);
  }

  /** Arguments that run a program there. */
  get inside(): readonly string[] {
    return [`--net=/run/netns/${this.#name}`];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runCommand('ip', ['-n', this.#layout.hubNamespace, 'link', 'del', 'lan']);
    await requireCommand('ip', ['netns', 'del', this.#name]);
  }
}

/** Those of `host:port` that a connection is made to within 2 s. @param inside  arguments of nsenter */
export async function reachedFrom(inside: readonly string[], targets: readonly string[]): Promise<readonly string[]> {
  const dial = 'for at; do busybox nc -w 2 "${at%:*}" "${at#*:}" </dev/null >/dev/null 2>&1 && echo "$at" & done; wait';
  const { stdout } = await runCommand('nsenter', [...inside, 'sh', '-c', dial, 'sh', ...targets], { timeoutMs: 60_000 });
  return stdout.split('\n').filter(line => line !== '').sort();
}
