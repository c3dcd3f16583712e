import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireCommand, startProcess } from '#kit/command-process.ts';
import { freePort } from './free-port.ts';

/** A real registry with TLS on a free port of 127.0.0.1. */
export interface RegistryProcess extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly registry: string;
  readonly caPem: string;
  /** Its log so far: one line a request. */
  log(): string;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startRegistry(): Promise<RegistryProcess> {
  const directory = await mkdtemp(path.join(tmpdir(), 'gantry-registry-'));
  const port = await freePort();
  await makeCertificate(directory);
  await writeFile(path.join(directory, 'config.yml'), `version: 0.1
log: { accesslog: { disabled: false }, level: warn }
storage: { filesystem: { rootdirectory: ${directory}/data }, delete: { enabled: true } }
http: { addr: '127.0.0.1:${String(port)}', tls: { certificate: ${directory}/cert.pem, key: ${directory}/key.pem } }
`);
  let log = '';
  let stopServer = (): Promise<void> => Promise.resolve();
  const start = async (): Promise<void> => {
    const child = startProcess('docker-registry', ['serve', path.join(directory, 'config.yml')], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => { log += text; });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => { log += text; });
    const ended = once(child, 'exit');
    stopServer = async () => { child.kill('SIGKILL'); await ended; };
    await untilListening(port);
  };
  await start();
  return {
    registry: `127.0.0.1:${String(port)}`,
    caPem: await readFile(path.join(directory, 'cert.pem'), 'utf8'),
    log: () => log,
    start,
    stop: () => stopServer(),
    async [Symbol.asyncDispose]() {
      await stopServer();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A certificate for 127.0.0.1 that is its own authority. */
export async function makeCertificate(directory: string): Promise<void> {
  await requireCommand('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=gantry-test',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', path.join(directory, 'key.pem'), '-out', path.join(directory, 'cert.pem'),
  ]);
}

async function untilListening(port: number): Promise<void> {
  for (let tries = 0; tries < 1_200; tries += 1) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>(resolve => {
      socket.once('connect', () => { resolve(true); });
      socket.once('error', () => { resolve(false); });
    });
    socket.destroy();
    if (isOpen) return;
    await sleep(25);
  }
  throw new Error(`nothing listens on ${String(port)}`);
}
