import type { Digest } from '#model/digest.ts';
import type { ImageConfig, ImageLayer, LayerProgress, RegistryLogin } from '#model/node-images.ts';
import type { UsedImage } from './prune.ts';

export interface LocalImage {
  /** The digest that was asked for: of the manifest or of the index. */
  readonly digest: Digest;
  readonly config: ImageConfig;
  /** Names of the unpacked layers in the layer store, lowest first. */
  readonly layers: readonly string[];
  readonly sizeBytes: number;
}

/** A complete image with all that people ask about. */
export interface StoredImage extends LocalImage {
  /** Sorted. */
  readonly names: readonly string[];
  /** As the registry has the layers, lowest first. */
  readonly blobs: readonly ImageLayer[];
  readonly pulledAtMs: number;
  readonly usedAtMs: number;
}

/** What questions about a node's images need of their store. */
export interface ListedImages extends Pick<ImageStore, 'ensure' | 'prune'> {
  /** The complete images, by digest. */
  all(): Promise<readonly StoredImage[]>;
}

export interface PullRequest {
  /** Normalised reference without digest, `registry/name:tag`. */
  readonly image: string;
  readonly digest: Digest;
  /** Whose login to use; an image that one namespace's login opened is checked again at the registry for another. */
  readonly namespace?: string;
  /** Instead of the login that the controllers tell. */
  readonly login?: RegistryLogin | 'anonymous';
  /** Asks the registry also when the image is complete: the namespace may have lost its access. What is on disk is not fetched again. */
  readonly isChecked?: boolean;
  /** Awaited before each pull of an image that is not complete on disk; what it throws, `ensure` throws. */
  readonly onAbsent?: () => Promise<void>;
}

export interface PullProgress {
  /** Lowest first; empty before the manifest is known. */
  readonly layers: readonly LayerProgress[];
  /** Requests that were tried again so far, and why the last of them was. */
  readonly retries: number;
  readonly lastRetry: string;
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
 *    NOT_FOUND (no such image), PERMISSION_DENIED (private), FAILED_PRECONDITION (other platform, hostile, corrupt or over the
 *    limits), UNAVAILABLE (registry away), RESOURCE_EXHAUSTED (a full disk, as DiskPressureError); the message is for a person.
 */
export interface ImageStore {
  ensure(request: PullRequest, onProgress: (progress: PullProgress) => void, signal: AbortSignal): Promise<LocalImage>;
  /** The image if it is complete on disk; with a namespace: and if that namespace may use it. */
  find(digest: Digest, namespace?: string): Promise<LocalImage | undefined>;
  /** Removes images (and layers, contents that only they need) not in `keep`. */
  prune(keep: ReadonlySet<Digest>): Promise<{ readonly freedBytes: number }>;
}
