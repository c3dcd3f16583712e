import type { Digest } from '#model/digest.ts';
import type { ImageConfig, ImageLayer, LayerProgress, RegistryLogin } from '#model/node-images.ts';
import type { UsedImage } from './prune.ts';

export interface LocalImage {
  /** Requested digest: of the manifest or of the index. */
  readonly digest: Digest;
  readonly config: ImageConfig;
  /** Names of the unpacked layers in the layer store, lowest first. */
  readonly layers: readonly string[];
  readonly sizeBytes: number;
}

/** A complete image with all details for users. */
export interface StoredImage extends LocalImage {
  /** Names, sorted. */
  readonly names: readonly string[];
  /** Layers as in the registry, lowest first. */
  readonly blobs: readonly ImageLayer[];
  readonly pulledAtMs: number;
  readonly usedAtMs: number;
}

/** Store operations for the image commands of operators. */
export interface ListedImages extends Pick<ImageStore, 'ensure' | 'prune'> {
  /** Returns the complete images, by digest. */
  all(): Promise<readonly StoredImage[]>;
}

export interface PullRequest {
  /** Normalised reference without digest, `registry/name:tag`. */
  readonly image: string;
  readonly digest: Digest;
  /**
   * Namespace whose login is used. An image that needed the login of one namespace is checked at
   * the registry for another.
   */
  readonly namespace?: string;
  /** Login to use instead of the one from the controllers. */
  readonly login?: RegistryLogin | 'anonymous';
  /**
   * Ask the registry even if the image is complete, because the namespace may have lost its access.
   * Content on disk is not fetched again.
   */
  readonly isChecked?: boolean;
  /** Awaited before each pull of an incomplete image; `ensure` throws what it throws. */
  readonly onAbsent?: () => Promise<void>;
}

export interface PullProgress {
  /** Progress, lowest layer first; empty before the manifest is known. */
  readonly layers: readonly LayerProgress[];
  /** Number of repeated requests, and the reason of the last one. */
  readonly retries: number;
  readonly lastRetry: string;
}

/** Store operations for pruning. */
export interface PrunableImages extends Pick<ImageStore, 'prune'> {
  /** Returns the complete images. */
  list(): Promise<readonly UsedImage[]>;
  /** Marks images as used now; ignores unknown ones and a disk that accepts no writes. */
  markUsed(digests: ReadonlySet<Digest>): Promise<void>;
}

/**
 * The images of this node.
 * 1. `ensure` returns a complete image from disk, else pulls it; concurrent callers fetch each
 * layer once.
 * 2. A layer is used only after its blob digest and its diff_id matched, also across kill -9.
 * 3. A failed pull leaves only resumable partials of blobs without an error so far. It throws
 * ClusterError: NOT_FOUND (no such image), PERMISSION_DENIED (private), FAILED_PRECONDITION (other
 * platform, hostile, corrupt or over the limits), UNAVAILABLE (no answer of the registry),
 * RESOURCE_EXHAUSTED (a full disk, as DiskPressureError). The message is for users.
 */
export interface ImageStore {
  ensure(request: PullRequest, onProgress: (progress: PullProgress) => void, signal: AbortSignal): Promise<LocalImage>;
  /** Returns the image if it is complete on disk, and if the namespace, when given, may use it. */
  find(digest: Digest, namespace?: string): Promise<LocalImage | undefined>;
  /** Removes images that are not in `keep`, with layers and contents that only they need. */
  prune(keep: ReadonlySet<Digest>): Promise<{ readonly freedBytes: number }>;
}
