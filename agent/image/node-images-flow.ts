/** Serves the image commands of operators for this node. */
import type { Digest } from '#model/digest.ts';
import { ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import type { NodeImage, NodeImagesSpec, RegistryLogin } from '#model/node-images.ts';
import type { Tunnel } from '#model/tunnel.ts';
import { gone } from '../tunnel/tunnel-flow.ts';
import { imagesWithout } from './prune.ts';
import type { ListedImages, PullProgress, StoredImage } from './ports.ts';

export interface NodeImagesParts {
  readonly images: ListedImages;
  /** Tasks by the image that they need; undefined while the tasks are unknown. */
  readonly named: () => ReadonlyMap<Digest, readonly TaskId[]> | undefined;
}

/** A command, and the login that a controller found for it. */
export interface ImagesQuestion {
  readonly spec: NodeImagesSpec;
  readonly login: RegistryLogin | undefined;
}

/** Lists, pulls and removes images; each answer ends with an `exit` frame. */
export class NodeImages {
  readonly #parts: NodeImagesParts;

  constructor(parts: NodeImagesParts) {
    this.#parts = parts;
  }

  /**
   * @throws ClusterError as the store; FAILED_PRECONDITION for an image in use, NOT_FOUND for an
   * unknown one
   */
  async answer(tunnel: Tunnel, { spec, login }: ImagesQuestion, signal: AbortSignal): Promise<void> {
    switch (spec.kind) {
      case 'list':
        await this.#list(tunnel);
        break;
      case 'pull':
        await this.#pull(tunnel, { spec, login }, AbortSignal.any([signal, gone(tunnel)]));
        break;
      case 'remove':
        await this.#remove(tunnel, spec.digest);
        break;
    }
    await tunnel.send({ kind: 'exit', code: 0 });
  }

  async #list(tunnel: Tunnel): Promise<void> {
    for (const image of await this.#parts.images.all()) {
      await tunnel.send({ kind: 'image', image: this.#shown(image) });
    }
  }

  async #pull(tunnel: Tunnel, { spec, login }: { readonly spec: NodeImagesSpec & { readonly kind: 'pull' }; readonly login: RegistryLogin | undefined }, signal: AbortSignal): Promise<void> {
    const { image, digest, namespace } = spec;
    // Frames are sent one after the other; a slow client gets fewer of them.
    let sending: Promise<void> | undefined;
    const onProgress = ({ layers }: PullProgress): void => {
      sending ??= tunnel.send({ kind: 'pull', layers }).catch(() => { /* its end is seen by `gone` */ }).finally(() => { sending = undefined; });
    };
    await this.#parts.images.ensure({ image, digest, namespace, isChecked: true, login: login ?? 'anonymous' }, onProgress, signal);
    await sending;
    const pulled = (await this.#parts.images.all()).find(one => one.digest === digest);
    if (pulled !== undefined) {
      await tunnel.send({ kind: 'image', image: this.#shown(pulled) });
    }
  }

  async #remove(tunnel: Tunnel, digest: Digest): Promise<void> {
    const all = await this.#parts.images.all();
    const image = all.find(one => one.digest === digest);
    if (image === undefined) {
      throw new ClusterError('NOT_FOUND', `image ${digest} is not on this node`);
    }
    // Checked last: no task can arrive between this check and the lock of the store.
    const named = this.#parts.named();
    const tasks = named?.get(digest) ?? [];
    if (named === undefined || tasks.length > 0) {
      throw new ClusterError('FAILED_PRECONDITION', named === undefined ? 'the tasks of this node are not known yet; try again in a few seconds' : `image ${digest} is used by ${describeTasks(tasks)}`);
    }
    await this.#parts.images.prune(imagesWithout(digest, all.map(one => one.digest), named.keys()));
    await tunnel.send({ kind: 'image', image: this.#shown(image) });
  }

  #shown({ digest, names, sizeBytes, pulledAtMs, usedAtMs, blobs, config }: StoredImage): NodeImage {
    return { digest, names, sizeBytes, pulledAtMs, usedAtMs, layers: blobs, config, tasks: this.#parts.named()?.get(digest) ?? [] };
  }
}

function describeTasks(tasks: readonly TaskId[]): string {
  const shown = tasks.slice(0, 3).map(id => `task/${id}`).join(', ');
  return tasks.length > 3 ? `${shown} and ${String(tasks.length - 3)} more` : shown;
}
