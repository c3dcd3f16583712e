import type { Duplex } from 'node:stream';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import type { TaskId } from '#model/ids.ts';
import type { LogQuery } from '../logs/log-fs.ts';
import type { LogRecord } from '../logs/log-line.ts';
import type { DebugSpec } from '#model/tunnel.ts';
import type { ProcessStreams } from '../runtime/ports.ts';

/** The container that a tunnel reaches. */
export interface TunnelTarget {
  readonly task: TaskId;
  readonly isPaused: boolean;
  readonly containerId: string;
  /** Absent: it does not run (any more); then only its logs are to be had. */
  readonly container?: ProcessIdentity;
  readonly networkNamespacePath: string;
  readonly logPath: string;
  /** Ends the task's running attempt for good: its stop signal, and KILL once the grace period is over. */
  readonly stop: (graceMs: number | undefined) => void;
  /** Runs a debug container beside it while `use` runs. @throws ClusterError when it does not run, or the image cannot be had */
  readonly debug: (spec: DebugSpec, use: (streams: ProcessStreams) => Promise<void>, signal: AbortSignal) => Promise<void>;
  /** Aborts when the container ended and its output is all written. */
  readonly ended: AbortSignal;
}

/** Files of a running container, named by paths as it sees them; ids in archives are the container's own. */
export interface ContainerFiles {
  /** A tar stream of `path`: one file, or a directory with all below it. */
  archive(container: ProcessIdentity, path: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Unpacks a tar stream into the directory `path`. @throws ClusterError for a bad archive or path; entries before it stay */
  unpack(container: ProcessIdentity, path: string, chunks: AsyncIterable<Uint8Array>): Promise<void>;
}

/** Connections to a port inside a network namespace, on its loopback address. */
export interface PortDialer {
  /** @throws ClusterError UNAVAILABLE when nothing listens there */
  dial(networkNamespacePath: string, port: number, signal: AbortSignal): Promise<Duplex>;
}

export interface LogReader {
  read(path: string, query: LogQuery, ended: AbortSignal, signal: AbortSignal): AsyncIterable<readonly LogRecord[]>;
}
