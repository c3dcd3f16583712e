/** A cold pull: from the word that a task of an image is to run until it runs, against Docker's pull of the same image. */
import { closeSync, openSync, readFileSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDigest } from '#model/digest.ts';
import type { Task } from '#model/task.ts';
import { pushImage } from '#registry/push-flow.ts';
import { makeClient } from '../support/image-fixture.ts';
import { requireCommand } from '#kit/command-process.ts';
import { differences, pictureOf } from '../support/tree-picture.ts';
import type { Bench, BenchSite, PreparedBench } from './bench.ts';
import { BenchNode } from './bench-node.ts';
import { requireDocker } from './docker-peer.ts';
import type { DockerPeer } from './docker-peer.ts';
import { becomesQuiet } from './machine-load.ts';
import { buildPullImage } from './pull-image.ts';
import type { PullImage } from './pull-image.ts';
import { rounded } from './report.ts';

/** busybox's: the one of the machine's own /usr/bin lacks its loader. */
const COMMAND = ['/bin/sleep', '1000000'];
/** A failed pull is the task's end. */
const ONCE = { mode: 'never', maxAttempts: 0, windowMs: 1_000, delayMs: 0 } as const;
const REPOSITORY = 'large';
const PUSH_LIMIT_MS = 120_000;
/** One slot for the task, and one to come: a pull is measured, not the filling of a pool. */
const POOL = 2;
const MS_PER_SECOND = 1_000;
const KILL_AT = 0.7;
const LOOK_MS = 2;
/** Where a runtime mounts or writes; the image has nothing there. */
const RUNTIME_PATHS: ReadonlySet<string> = new Set(['dev', 'proc', 'sys', 'etc', 'run', '.dockerenv']);
/** Longest delay of the agent's event loop since the last look. Source: prom-client, eventLoopLag.js */
const LOOP_BLOCK = 'gantry_nodejs_eventloop_lag_max_seconds';

export const pullBench: Bench = {
  unit: 'ms', isMoreBetter: false, runs: 1,
  goals: [
    { of: 'ratio.peer', atLeast: 2.5 }, { of: 'extra.loopBlockMsMax', atMost: 50 }, { of: 'extra.refetchedShare', atMost: 0.35 },
    { of: 'extra.differences', atMost: 0 }, { of: 'extra.corruptedRefused', atLeast: 2 },
  ],
  prepare: preparePull,
};

interface Sides {
  readonly node: BenchNode;
  readonly docker: DockerPeer;
  readonly image: PullImage;
  readonly reference: string;
  readonly directory: string;
}

async function preparePull({ directory, mayInstall, tell }: BenchSite): Promise<PreparedBench> {
  await requireDocker(mayInstall);
  const image = await buildPullImage(path.join(directory, 'image'));
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await BenchNode.start({ directory, pool: POOL, isRegistryLogged: true }));
  const reference = `${node.image.registry}/${REPOSITORY}:1`;
  await pushTo(node, image);
  const docker = stack.use(await node.startDocker());
  tell(`agent and docker are up, the image has ${String(image.entries)} entries`);
  const owned = stack.move();
  const sides: Sides = { node, docker, image, reference, directory };
  const blocksMs: number[] = [];
  return {
    gantry: { name: 'gantry, to running', measure: async runs => await times(runs, async () => await gantryPull(sides, blocksMs)) },
    peer: { name: 'docker pull', measure: async runs => await times(runs, async () => await dockerPull(sides)) },
    floor: { name: 'curl | gzip | tar', measure: async runs => await times(runs, async () => await barePull(sides)) },
    extra: async () => {
      const bytes = image.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      const seen = await compareTrees(sides);
      tell(`${String(seen.length)} differences ${seen.slice(0, 5).join('; ')}`);
      const refetchedShare = rounded(await refetchedBytes(sides, KILL_AT * bytes) / bytes);
      const refusals = await refusalsOfCorrupted(sides);
      return {
        bytes, files: image.entries, layerBytes: image.layers.map(({ sizeBytes }) => sizeBytes), loopBlockMsMax: rounded(Math.max(...blocksMs)), refetchedShare,
        differences: seen.length, corruptedRefused: refusals.filter(words => words.includes('mismatch')).length, refusals,
      };
    },
    [Symbol.asyncDispose]: async () => { await owned.disposeAsync(); },
  };
}

async function pushTo(node: BenchNode, image: PullImage): Promise<void> {
  await using client = makeClient({ caPem: readFileSync(node.caFile, 'utf8') });
  await pushImage(client, { registry: node.image.registry, repository: REPOSITORY, tag: '1' }, image.built, AbortSignal.timeout(PUSH_LIMIT_MS));
}

/** A new agent that has no image, its pool full, and a disk with nothing left to write. */
async function coldAgent({ node }: Sides): Promise<void> {
  await node.stopAgent();
  rmSync(path.join(node.stateDir, 'images'), { recursive: true });
  await node.startAgent(0);
  await settle();
}

async function settle(): Promise<void> {
  await requireCommand('sync', []);
  await becomesQuiet();
}

function taskOf({ node, image, reference }: Sides): Task {
  return node.task({ image: reference, digest: parseDigest(image.built.digest), entrypoint: COMMAND, restart: ONCE });
}

async function gantryPull(sides: Sides, blocksMs: number[]): Promise<number> {
  const { node } = sides;
  await coldAgent(sides);
  await node.figures();
  const task = taskOf(sides);
  const startedAt = performance.now();
  node.controller.assign([task]);
  await node.controller.reported([task.id], ({ phase }) => phase === 'running');
  const tookMs = performance.now() - startedAt;
  blocksMs.push(((await node.figures()).get(LOOP_BLOCK) ?? Infinity) * MS_PER_SECOND);
  await node.stop([task]);
  return tookMs;
}

async function dockerPull({ docker, reference }: Sides): Promise<number> {
  await docker.removeImage(reference);
  await settle();
  const startedAt = performance.now();
  await docker.pull(reference);
  return performance.now() - startedAt;
}

/** The layers by other programs, two at once, each into a directory of its own; no digest is looked at. */
async function barePull({ node, image, directory }: Sides): Promise<number> {
  const target = path.join(directory, 'bare');
  rmSync(target, { recursive: true, force: true });
  await settle();
  const digests = [...image.layers].sort((left, right) => right.sizeBytes - left.sizeBytes).map(({ digest }) => digest);
  const startedAt = performance.now();
  await requireCommand('xargs', ['-P', '2', '-I', '{}', 'sh', '-ec', `mkdir -p ${target}/{} && curl -sf --cacert ${node.caFile} https://${node.image.registry}/v2/${REPOSITORY}/blobs/{} | gzip -dc | tar -x -C ${target}/{}`], { input: digests.join('\n') });
  const tookMs = performance.now() - startedAt;
  rmSync(target, { recursive: true });
  return tookMs;
}

/** What a container of each side sees, path by path. */
async function compareTrees(sides: Sides): Promise<readonly string[]> {
  const { node, docker, reference } = sides;
  const task = taskOf(sides);
  node.controller.assign([task]);
  await node.controller.reported([task.id], ({ phase }) => phase === 'running');
  const container = await docker.run({ image: reference, command: COMMAND });
  const isLeftOut = (at: string): boolean => RUNTIME_PATHS.has(at);
  const pid = node.pidOf(task.id);
  const idBase = Number(/^\s*0\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/uid_map`, 'utf8'))?.[1]);
  const ours = pictureOf(`/proc/${String(pid)}/root`, { idBase, isLeftOut });
  const theirs = pictureOf(`/proc/${String(await docker.pidOf(container))}/root`, { isLeftOut });
  await docker.remove(container);
  await node.stop([task]);
  return differences(ours, theirs, at => at === '.');
}

/** Bytes that the registry sends after the agent was killed when it had taken `killAt` bytes, and was started again. */
async function refetchedBytes(sides: Sides, killAt: number): Promise<number> {
  const { node } = sides;
  await coldAgent(sides);
  const task = taskOf(sides);
  node.controller.assign([task]);
  while (takenBytes(sides) < killAt) await sleep(LOOK_MS);
  await node.stopAgent();
  const before = readFileSync(node.cluster.logFile('registry')).length;
  await node.startAgent(0);
  await node.controller.reported([task.id], ({ phase }) => phase === 'running');
  await node.stop([task]);
  return sentBytes(readFileSync(node.cluster.logFile('registry')).subarray(before).toString());
}

/** Of the image's layers: those that are unpacked, and the beginnings of others. */
function takenBytes({ node, image }: Sides): number {
  const images = path.join(node.stateDir, 'images');
  return image.layers.reduce((sum, { diffId, digest, sizeBytes }) => {
    const isUnpacked = statSync(path.join(images, 'layers', diffId.replace(/^sha256:/, '')), { throwIfNoEntry: false }) !== undefined;
    return sum + (isUnpacked ? sizeBytes : statSync(path.join(images, 'partials', digest.replace(':', '-')), { throwIfNoEntry: false })?.size ?? 0);
  }, 0);
}

/** Of blobs, as the registry's log has them: `"GET /v2/NAME/blobs/DIGEST HTTP/1.1" 200 BYTES`. Source: Apache's combined log format */
function sentBytes(log: string): number {
  return [...log.matchAll(/"GET \/v2\/[^ ]*\/blobs\/[^ ]* HTTP\/[\d.]+" 20[06] (\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
}

/** What the node says of an image whose largest layer is other than it was, once in its contents, once in bytes that unpacking does not look at. */
async function refusalsOfCorrupted(sides: Sides): Promise<readonly string[]> {
  const { node, image } = sides;
  const [largest] = [...image.layers].sort((left, right) => right.sizeBytes - left.sizeBytes);
  if (largest === undefined) throw new Error('an image of no layers');
  const hex = largest.digest.replace(/^sha256:/, '');
  const blob = path.join(node.cluster.registryDirectory, 'data/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
  const words: string[] = [];
  // Source: RFC 1952 section 2.3: bytes 4 to 7 of a gzip stream are a time that nothing depends on.
  for (const at of [4, Math.floor(largest.sizeBytes / 2)]) {
    await coldAgent(sides);
    flipByte(blob, at);
    const task = taskOf(sides);
    node.controller.assign([task]);
    await node.controller.reported([task.id], ({ phase }) => phase === 'failed');
    words.push(node.controller.status(task.id)?.message ?? '');
    flipByte(blob, at);
    if (readdirSync(path.join(node.stateDir, 'images/layers')).includes(largest.diffId.replace(/^sha256:/, ''))) {
      words.push('the corrupted layer is in use');
    }
    node.controller.assign([], [task.id]);
  }
  return words;
}

function flipByte(file: string, at: number): void {
  const value = readFileSync(file)[at] ?? 0;
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Uint8Array.of(value ^ 0xff), 0, 1, at);
  closeSync(descriptor);
}

async function times(runs: number, measure: () => Promise<number>): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let run = 0; run < runs; run += 1) samples.push(await measure());
  return samples;
}
