/**
 * Opens sockets in other network namespaces: this thread enters each requested namespace, and does
 * nothing else.
 */
import { parentPort } from 'node:worker_threads';
import { enterNetworkNamespace, openTcpSocket } from '../kernel/namespace-syscall.ts';

export interface SocketRequest {
  readonly key: number;
  readonly networkNamespacePath: string;
}

export type SocketAnswer = { readonly key: number; readonly fd: number } | { readonly key: number; readonly message: string };

parentPort?.on('message', ({ key, networkNamespacePath }: SocketRequest) => {
  let answer: SocketAnswer;
  try {
    enterNetworkNamespace(networkNamespacePath);
    answer = { key, fd: openTcpSocket() };
  } catch (error) {
    answer = { key, message: error instanceof Error ? error.message : String(error) };
  }
  parentPort?.postMessage(answer);
});
