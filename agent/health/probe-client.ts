import { request } from 'node:http';
import { connect } from 'node:net';
import { askServingStatus } from '#rpc/health-client.ts';
import { shortageText } from '../shortage.ts';
import type { ProbeResult } from './verdict.ts';

/**
 * Succeeds if a connection is accepted. @throws if the agent lacks a resource to connect, e.g.
 * EMFILE
 */
export async function probeTcp(address: string, port: number, signal: AbortSignal): Promise<ProbeResult> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve({ isSuccess: true });
    });
    socket.once('error', answerTo(`tcp ${String(port)}`, resolve, reject));
  });
}

/**
 * Succeeds with a status of 200 to 399; the body is not read and no redirect is followed. @throws
 * as probeTcp
 */
export async function probeHttp(address: string, target: { readonly port: number; readonly path: string }, signal: AbortSignal): Promise<ProbeResult> {
  const what = `http ${String(target.port)}${target.path}`;
  return await new Promise((resolve, reject) => {
    const outgoing = request({ host: address, port: target.port, path: target.path, agent: false, signal, headers: { 'user-agent': 'gantry-health', connection: 'close' } });
    outgoing.once('response', incoming => {
      incoming.on('error', () => { /* cut off on purpose below */ });
      const statusCode = incoming.statusCode ?? 0;
      outgoing.destroy();
      resolve(statusCode >= 200 && statusCode < 400 ? { isSuccess: true } : { isSuccess: false, message: `${what}: status ${String(statusCode)}` });
    });
    outgoing.on('error', answerTo(what, resolve, reject));
    outgoing.end();
  });
}

/** Succeeds with SERVING. @throws as probeTcp */
export async function probeGrpc(address: string, target: { readonly port: number; readonly service: string }, signal: AbortSignal): Promise<ProbeResult> {
  const what = `grpc ${String(target.port)}${target.service === '' ? '' : ` ${target.service}`}`;
  try {
    const status = await askServingStatus({ host: address, port: target.port }, target.service, signal);
    return status === 'SERVING' ? { isSuccess: true } : { isSuccess: false, message: `${what}: ${status}` };
  } catch (error) {
    if (shortageText(error) !== undefined) throw error;
    return { isSuccess: false, message: `${what}: ${(error as Error).message}` };
  }
}

/**
 * Resolves with a failure for an error of the connection; rejects if the agent lacks a resource to
 * connect.
 */
function answerTo(what: string, resolve: (result: ProbeResult) => void, reject: (error: Error) => void): (error: NodeJS.ErrnoException) => void {
  return error => {
    if (shortageText(error) === undefined) resolve({ isSuccess: false, message: `${what}: ${error.code ?? error.message}` });
    else reject(error);
  };
}
