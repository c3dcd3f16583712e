/** The images of one node as people see them, and what may be asked of them. */
import type { Digest } from './digest.ts';
import type { TaskId } from './ids.ts';

/** What Gantry takes of an image's config; nothing else of it reaches the runtime (reliability 9). Source: OCI image-spec, config.md. */
export interface ImageConfig {
  readonly user: string;
  readonly environment: readonly string[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workingDir: string;
  readonly stopSignal: string;
}

export type NodeImagesSpec =
  | { readonly kind: 'list' }
  /** `image` is `registry/repository[:tag]`; the login of `namespace` opens its registry. */
  | { readonly kind: 'pull'; readonly image: string; readonly digest: Digest; readonly namespace: string }
  /** Refused while a task of the node needs it. */
  | { readonly kind: 'remove'; readonly digest: Digest };

/** A layer as the registry has it. */
export interface ImageLayer {
  readonly digest: Digest;
  /** Compressed. */
  readonly sizeBytes: number;
  readonly mediaType: string;
}

/** An image that is whole on a node. */
export interface NodeImage {
  /** Of the manifest or of the index that was asked for. */
  readonly digest: Digest;
  /** `registry/repository:tag`, each of them this image's since the last pull by that name; sorted. */
  readonly names: readonly string[];
  /** Of the unpacked files. */
  readonly sizeBytes: number;
  readonly pulledAtMs: number;
  readonly usedAtMs: number;
  /** Lowest first. */
  readonly layers: readonly ImageLayer[];
  readonly config: ImageConfig;
  /** Of this node, that need it; sorted. */
  readonly tasks: readonly TaskId[];
}

export interface LayerProgress {
  readonly digest: Digest;
  /** Compressed. */
  readonly sizeBytes: number;
  readonly doneBytes: number;
  /** Unpacked and verified, or there before. */
  readonly isComplete: boolean;
}

/** A login for one registry; never logged. */
export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
}
