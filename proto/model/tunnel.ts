/** Byte streams between a client and a task (logs, exec, attach, cp, port-forward), and questions about the images of a node. */
import type { Digest } from './digest.ts';
import type { NodeId, TaskId } from './ids.ts';
import type { LayerProgress, NodeImage, NodeImagesSpec } from './node-images.ts';
import type { UsageSample } from './usage.ts';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export type TunnelSpec =
  | {
      readonly kind: 'logs';
      readonly follow: boolean;
      /** Lines from the end; absent: all. */
      readonly tail?: number;
      readonly sinceMs?: number;
      readonly timestamps: boolean;
      /** Of the run before the newest one. */
      readonly previous: boolean;
    }
  | {
      readonly kind: 'exec';
      readonly command: readonly string[];
      readonly tty: boolean;
      readonly stdin: boolean;
      readonly user?: string;
      readonly workingDir?: string;
      readonly environment: readonly { readonly name: string; readonly value: string }[];
      readonly size?: TerminalSize;
    }
  /** `fromStart`: with all that was written before, too. */
  | { readonly kind: 'attach'; readonly stdin: boolean; readonly fromStart: boolean; readonly size?: TerminalSize }
  /** `out` sends a tar of `path` to the client; `in` unpacks the client's tar into the directory `path`. */
  | { readonly kind: 'copy'; readonly direction: 'in' | 'out'; readonly path: string }
  | { readonly kind: 'forward'; readonly port: number }
  /** A container of its own image in the task's namespaces, for as long as the tunnel is open. */
  | {
      readonly kind: 'debug';
      readonly image: string;
      /** What the image's tag means now: the controller says it. */
      readonly digest?: Digest;
      /** Empty: the image's own. */
      readonly command: readonly string[];
      readonly tty: boolean;
      readonly stdin: boolean;
      readonly environment: readonly { readonly name: string; readonly value: string }[];
      readonly size?: TerminalSize;
    }
  /** A usage frame of each of these tasks of the target's node, at once and then at each interval, until none of them runs. */
  | { readonly kind: 'stats'; readonly tasks: readonly TaskId[]; readonly intervalMs: number; readonly withWritable: boolean }
  /** All that the node knows of the task: one JSON document, then eof. */
  | { readonly kind: 'inspect' };

export type DebugSpec = Extract<TunnelSpec, { readonly kind: 'debug' }>;

export interface TaskTunnelRequest {
  readonly task: TaskId;
  readonly spec: TunnelSpec;
  /** A companion's name, or the service's own for the main container; absent: the main container. */
  readonly container?: string;
}

/** Answered by `image` and `pull` frames, then `exit`. */
export interface NodeTunnelRequest {
  readonly node: NodeId;
  readonly images: NodeImagesSpec;
}

export type TunnelRequest = TaskTunnelRequest | NodeTunnelRequest;

/** Most bytes in one frame. */
export const MAX_FRAME_BYTES = 65_536;

export type TunnelFrame =
  | { readonly kind: 'data'; readonly stream: 'stdin' | 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  | { readonly kind: 'resize'; readonly size: TerminalSize }
  | { readonly kind: 'signal'; readonly signal: string }
  /** Of an attachment: ends the task's attempt, and none follows it. Absent grace: the container's own. */
  | { readonly kind: 'stop'; readonly graceMs?: number }
  /** No more bytes in this direction. */
  | { readonly kind: 'eof' }
  /** Last frame of the agent: the process's exit code (128 + signal). */
  | { readonly kind: 'exit'; readonly code: number }
  /** Last frame of the agent when the work itself is refused or breaks off. */
  | { readonly kind: 'error'; readonly code: string; readonly message: string }
  /** One image of the node. */
  | { readonly kind: 'image'; readonly image: NodeImage }
  /** How far a pull is. */
  | { readonly kind: 'pull'; readonly layers: readonly LayerProgress[] }
  | { readonly kind: 'usage'; readonly sample: UsageSample };

/**
 * One end of an open tunnel. Frames keep their order; `send` resolves when the transport took the frame (back-pressure);
 * `frames` ends when the peer closed; closing twice is harmless.
 */
export interface Tunnel {
  readonly frames: AsyncIterable<TunnelFrame>;
  send(frame: TunnelFrame): Promise<void>;
  close(): void;
}
