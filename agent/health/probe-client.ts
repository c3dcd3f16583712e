import { request } from 'node:http';
import { connect } from 'node:net';
import { askServingStatus } from '#rpc/health-client.ts';
import type { ProbeResult } from './verdict.ts';

/** A connection that is accepted is a success. */
export async function probeTcp(address: string, port: number, signal: AbortSignal): Promise<ProbeResult> {
  return await new Promise(resolve => {
    const socket = connect({ host: address, port, signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve({ isSuccess: true });
    });
    socket.once('error', error => { resolve(failure(`tcp ${String(port)}`, error)); });
  });
}

/** An answer of 200 to 399 is a success; its body is not read. No redirect is followed. */
export async function probeHttp(address: string, target: { readonly port: number; readonly path: string }, signal: AbortSignal): Promise<ProbeResult> {
  const what = `http ${String(target.port)}${target.path}`;
  return await new Promise(resolve => {
    const outgoing = request({ host: address, port: target.port, path: target.path, agent: false, signal, headers: { 'user-agent': 'gantry-health', connection: 'close' } });
    outgoing.once('response', incoming => {
      incoming.on('error', () => { /* cut off on purpose below */ });
      const statusCode = incoming.statusCode ?? 0;
      outgoing.destroy();
      resolve(statusCode >= 200 && statusCode < 400 ? { isSuccess: true } : { isSuccess: false, message: `${what}: status ${String(statusCode)}` });
    });
    outgoing.on('error', error => { resolve(failure(what, error)); });
    outgoing.end();
  });
}

/** SERVING is a success. */
export async function probeGrpc(address: string, target: { readonly port: number; readonly service: string }, signal: AbortSignal): Promise<ProbeResult> {
  const what = `grpc ${String(target.port)}${target.service === '' ? '' : ` ${target.service}`}`;
  try {
    const status = await askServingStatus({ host: address, port: target.port }, target.service, signal);
    return status === 'SERVING' ? { isSuccess: true } : { isSuccess: false, message: `${what}: ${status}` };
  } catch (error) {
    return { isSuccess: false, message: `${what}: ${(error as Error).message}` };
  }
}

function failure(what: string, error: NodeJS.ErrnoException): ProbeResult {
  return { isSuccess: false, message: `${what}: ${error.code ?? error.message}` };
}
