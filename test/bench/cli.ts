/** Start of clusterctl: `--version` against bare Node.js, and `ps` of a controller in this process. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import type { ControlHandlers } from '#model/ports.ts';
import { controlService } from '#rpc/control-server.ts';
import { startRpcServer } from '#rpc/rpc-server.ts';
import { clusterView } from '../support/cluster-view.ts';
import { silentLogger } from '../support/silent-logger.ts';
import type { Bench, BenchSite, PreparedBench } from './bench.ts';
import { figures, rounded } from './report.ts';

const BIN = path.resolve(import.meta.dirname, '../../deploy/bin');
const BARE = [path.join(BIN, 'node'), '-e', '0'] as const;
const PS_PAIRS = 20;
/** Calls before the first that counts: the compile cache is filled, files are in memory. */
const WARM_UPS = 3;

export const cliBench: Bench = {
  unit: 'ms', isMoreBetter: false, runs: 20, needsDisk: false,
  goals: [{ of: 'extra.versionToBare', atMost: 2 }, { of: 'extra.psToBare', atMost: 3 }],
  prepare: prepareCli,
};

async function prepareCli({ tell }: BenchSite): Promise<PreparedBench> {
  await using stack = new AsyncDisposableStack();
  const home = stack.use(await mkdtempDisposable(path.join(tmpdir(), 'gantry-bench-cli-')));
  const server = await serveView(home.path);
  stack.defer(async () => { await server.close(); });
  const call = callerIn(home.path);
  const [version, ps] = [[path.join(BIN, 'clusterctl'), '--version'], [path.join(BIN, 'clusterctl'), 'ps']] as const;
  for (let warm = 0; warm < WARM_UPS; warm += 1) {
    for (const command of [BARE, version, ps]) await call(command);
  }
  const owned = stack.move();
  const bareMs: number[] = [];
  const versionMs: number[] = [];
  return {
    gantry: { name: 'clusterctl --version', measure: async runs => await measured(runs, versionMs, async () => await call(version)) },
    floor: { name: 'node -e 0', measure: async runs => await measured(runs, bareMs, async () => await call(BARE)) },
    extra: async () => {
      const pairs = await inPairs(async () => await call(BARE), async () => await call(ps));
      tell(`ps ${String(figures(pairs.map(([, right]) => right)).p50)} ms, bare ${String(figures(pairs.map(([left]) => left)).p50)} ms`);
      return {
        versionToBare: rounded(figures(versionMs).p50 / figures(bareMs).p50),
        psToBare: rounded(figures(pairs.map(([bare, full]) => full / bare)).p50), psMs: figures(pairs.map(([, full]) => full)).p50,
      };
    },
    [Symbol.asyncDispose]: async () => { await owned.disposeAsync(); },
  };
}

type Command = readonly [program: string, ...words: string[]];

/** Runs a command to its end and answers its milliseconds. @throws when it fails */
function callerIn(home: string): (command: Command) => Promise<number> {
  const { PATH = '' } = process.env;
  return async ([program, ...words]) => {
    const startedAt = performance.now();
    await promisify(execFile)(program, words, { env: { PATH, HOME: home } });
    return performance.now() - startedAt;
  };
}

async function measured(runs: number, into: number[], one: () => Promise<number>): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    samples.push(await one());
  }
  into.push(...samples);
  return samples;
}

async function inPairs(left: () => Promise<number>, right: () => Promise<number>): Promise<readonly (readonly [number, number])[]> {
  const pairs: (readonly [number, number])[] = [];
  for (let pair = 0; pair < PS_PAIRS; pair += 1) {
    pairs.push([await left(), await right()]);
  }
  return pairs;
}

/** A controller with mutual TLS that shows three tasks, and the context of an operator in `home`. */
async function serveView(home: string): ReturnType<typeof startRpcServer> {
  const now = { nowMs: Date.now() };
  const authority = await createAuthority('bench', now.nowMs);
  const controller = { role: 'controller', name: 'c1', dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] } as const;
  const identity = { caPem: authority.certificatePem, pair: await issueCertificate(authority, controller, now) };
  const shown: Partial<ControlHandlers> = {
    clusterStatus: () => Promise.resolve({ leader: 'c1', epoch: 1, controllers: [], version: '0.1.0', clusterId: 'bench' }),
    viewPage: () => Promise.resolve({ view: clusterView() }),
  };
  const service = controlService(shown as ControlHandlers, { log: silentLogger });
  const server = await startRpcServer({ host: '127.0.0.1', port: 0, identity, clients: 'certified', services: [service], log: silentLogger });
  const operator = await issueCertificate(authority, { role: 'operator', name: 'joe', dnsNames: [], ipAddresses: [] }, now);
  const directory = path.join(home, '.config/gantry');
  mkdirSync(directory, { recursive: true });
  const context = {
    controllers: [`127.0.0.1:${String(server.port)}`],
    ca: authority.certificatePem, certificate: operator.certificatePem, key: operator.keyPem,
  };
  const text = JSON.stringify({ current: 'bench', contexts: { bench: context } });
  writeFileSync(path.join(directory, 'config.yaml'), text, { mode: 0o600 });
  return server;
}
