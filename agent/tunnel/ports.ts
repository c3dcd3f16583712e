import type { Duplex } from 'node:stream';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import type { TaskId } from '#model/ids.ts';
import type { LogQuery } from '../logs/log-fs.ts';
import type { LogRecord } from '../logs/log-line.ts';
import type { DebugSpec } from '#model/tunnel.ts';
import type { ProcessStreams } from '../runtime/ports.ts';

/** Container that a tunnel reaches. */
export interface TunnelTarget {
  readonly task: TaskId;
  readonly isPaused: boolean;
  readonly containerId: string;
  /** Absent: the container does not run; only its logs are available. */
  readonly container?: ProcessIdentity;
  readonly networkNamespacePath: string;
  readonly logPath: string;
  /**
   * Ends the running attempt of the task permanently: stop signal, and SIGKILL after the grace
   * period.
   */
  readonly stop: (graceMs: number | undefined) => void;
  /**
   * Runs a debug container beside it during `use`. @throws ClusterError if it does not run, or the
   * image is not available
   */
  readonly debug: (spec: DebugSpec, use: (streams: ProcessStreams) => Promise<void>, signal: AbortSignal) => Promise<void>;
  /** Aborts when the container has exited and its output is written. */
  readonly ended: AbortSignal;
}

/**
 * Files of a running container, by paths inside it; ids in archives are ids inside the container.
 */
export interface ContainerFiles {
  /** Yields a tar stream of `path`: a file, or a directory with everything below. */
  archive(container: ProcessIdentity, path: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * Unpacks a tar stream into the directory `path`. @throws ClusterError for a bad archive or path;
   * earlier entries stay
   */
  unpack(container: ProcessIdentity, path: string, chunks: AsyncIterable<Uint8Array>): Promise<void>;
}

/** Connects to a port inside a network namespace, at its loopback address. */
export interface PortDialer {
  /** @throws ClusterError UNAVAILABLE if nothing listens there */
  dial(networkNamespacePath: string, port: number, signal: AbortSignal): Promise<Duplex>;
}

export interface LogReader {
  read(path: string, query: LogQuery, ended: AbortSignal, signal: AbortSignal): AsyncIterable<readonly LogRecord[]>;
}
