/** Docker Swarm on one node, over the engine's API. Source: docker engine API v1.45, "Swarm", "Service" */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DockerPeer } from './docker-peer.ts';

const GRACE_NS = 1_000_000_000;

interface ServiceBody {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: { readonly Mode: { readonly Replicated: { readonly Replicas: number } } };
  readonly ServiceStatus?: { readonly RunningTasks: number };
}

/** Services of `image` on a swarm of this one daemon. */
export class SwarmPeer {
  readonly #docker: DockerPeer;
  readonly #image: string;
  readonly #pollMs: number;
  #count = 0;

  private constructor(docker: DockerPeer, image: string, pollMs: number) {
    this.#docker = docker;
    this.#image = image;
    this.#pollMs = pollMs;
  }

  /** @param pollMs  how often a state is looked at */
  static async init(docker: DockerPeer, image: string, pollMs: number): Promise<SwarmPeer> {
    await docker.call('POST', '/swarm/init', { ListenAddr: '127.0.0.1:2377', AdvertiseAddr: '127.0.0.1' });
    return new SwarmPeer(docker, image, pollMs);
  }

  /** Resolves once the call is answered. @returns the service's id */
  async create(replicas: number): Promise<string> {
    this.#count += 1;
    const made = await this.#docker.call('POST', '/services/create', {
      Name: `bench${String(this.#count)}`, Mode: { Replicated: { Replicas: replicas } },
      TaskTemplate: {
        ContainerSpec: { Image: this.#image, Command: ['sleep'], Args: ['1000000'], StopSignal: 'SIGKILL', StopGracePeriod: GRACE_NS },
        RestartPolicy: { Condition: 'any', Delay: 0 },
      },
      EndpointSpec: { Mode: 'vip' },
    }) as { readonly ID: string };
    return made.ID;
  }

  async scale(id: string, replicas: number): Promise<void> {
    const service = await this.#service(id);
    await this.#docker.call('POST', `/services/${id}/update?version=${String(service.Version.Index)}`, { ...service.Spec, Mode: { Replicated: { Replicas: replicas } } });
  }

  /** Resolves when exactly so many of its tasks run, and no other container does on this daemon. */
  async runs(id: string, replicas: number): Promise<void> {
    while ((await this.#service(id)).ServiceStatus?.RunningTasks !== replicas || await this.#containers() > replicas) {
      await sleep(this.#pollMs);
    }
  }

  async remove(id: string): Promise<void> {
    await this.#docker.call('DELETE', `/services/${id}`);
    while (await this.#containers() > 0) await sleep(this.#pollMs);
  }

  async #service(id: string): Promise<ServiceBody> {
    const [service] = await this.#docker.call('GET', `/services?status=true&filters=${encodeURIComponent(JSON.stringify({ id: [id] }))}`) as readonly ServiceBody[];
    if (service === undefined) throw new Error(`swarm has no service ${id}`);
    return service;
  }

  async #containers(): Promise<number> {
    return (await this.#docker.call('GET', '/containers/json') as readonly unknown[]).length;
  }
}
