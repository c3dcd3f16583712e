import type { Digest } from '#model/digest.ts';
import type { UsedImage } from './prune.ts';

/** What Gantry takes of an image's config; nothing else of it reaches the runtime (reliability 9). Source: OCI image-spec, config.md. */
export interface ImageConfig {
  readonly user: string;
  readonly environment: readonly string[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workingDir: string;
  readonly stopSignal: string;
}

export interface LocalImage {
  /** The digest that was asked for: of the manifest or of the index. */
  readonly digest: Digest;
  readonly config: ImageConfig;
  /** Names of the unpacked layers in the layer store, lowest first. */
  readonly layers: readonly string[];
  readonly sizeBytes: number;
}

export interface PullRequest {
  /** Normalised reference without digest, `registry/name:tag`. */
  readonly image: string;
  readonly digest: Digest;
  /** Whose login to use; an image that one namespace's login opened is checked again at the registry for another. */
  readonly namespace?: string;
}

export interface PullProgress {
  readonly layersDone: number;
  readonly layersTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Only where a request to the registry was just tried again: which registry, and why. */
  readonly retried?: string;
}

/** What the pruning of images needs of their store. */
export interface PrunableImages extends Pick<ImageStore, 'prune'> {
  /** The complete images. */
  list(): Promise<readonly UsedImage[]>;
  /** They are used now; those that are not there, and a disk that takes no writes, change nothing. */
  markUsed(digests: ReadonlySet<Digest>): Promise<void>;
}

/**
 * The images of this node.
 *
 * 1. `ensure` answers from disk when the image is complete, else pulls it; however many ask at once, each layer is fetched once.
 * 2. A layer is used only after its blob digest and its diff_id matched; a half one never is, across kill -9.
 * 3. A failed pull leaves nothing on disk but resumable partials of blobs that were honest so far. It throws ClusterError:
 *    NOT_FOUND (no such image), PERMISSION_DENIED (private), FAILED_PRECONDITION (other platform, hostile or corrupt), UNAVAILABLE
 *    (registry away), RESOURCE_EXHAUSTED (limits; a full disk as DiskPressureError); the message is for a person.
 */
export interface ImageStore {
  ensure(request: PullRequest, onProgress: (progress: PullProgress) => void, signal: AbortSignal): Promise<LocalImage>;
  /** The image if it is complete on disk. */
  find(digest: Digest): Promise<LocalImage | undefined>;
  /** Removes images (and layers, contents that only they need) not in `keep`. */
  prune(keep: ReadonlySet<Digest>): Promise<{ readonly freedBytes: number }>;
}
