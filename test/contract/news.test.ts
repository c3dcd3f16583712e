import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { systemClock } from '#kit/clock.ts';
import type { ClusterEvent } from '#model/event.ts';
import { parseNodeId, parseTaskId } from '#model/ids.ts';
import type { UsageSample } from '#model/usage.ts';
import { NatsNews } from '#news/nats-client.ts';
import type { PeerRole } from '#model/peer-name.ts';
import { hasNats, NatsProcess } from '../support/nats-process.ts';
import { TestAuthority } from '../support/rpc-cluster.ts';
import { silentLogger } from '../support/silent-logger.ts';

const needsNats = await hasNats() ? test.serial : test.serial.skip;
const EVENT: ClusterEvent = { type: 'normal', object: 'task/abcdefghijkl', reason: 'started', message: 'm', firstAtMs: 1, lastAtMs: 2, count: 1 };
const SAMPLE: UsageSample = {
  node: parseNodeId('n1'), task: parseTaskId('abcdefghijkl'), atMs: 1, cpuMicroseconds: 2, memoryBytes: 3, memoryLimitBytes: 0, processes: 4, networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0,
};
const WAIT_MS = 60_000;

async function until(what: string, holds: () => boolean): Promise<void> {
  const endAtMs = performance.now() + WAIT_MS;
  while (!holds()) {
    if (performance.now() > endAtMs) {
      throw new Error(`not within ${String(WAIT_MS)} ms: ${what}`);
    }
    await sleep(10);
  }
}

/** A running client and what it heard. */
async function client(nats: NatsProcess, authority: TestAuthority, name: string, role: PeerRole = 'controller'): Promise<{ news: NatsNews; events: ClusterEvent[]; usage: UsageSample[]; gaps: () => number; stop: () => Promise<void> }> {
  let gaps = 0;
  const identity = await authority.identity(role, name);
  const news = new NatsNews({
    servers: [nats.address], identity: () => identity, onGap: () => { gaps += 1; }, clock: systemClock, log: silentLogger,
  });
  const abort = new AbortController();
  const events: ClusterEvent[] = [];
  const usage: UsageSample[] = [];
  const running = Promise.all([
    news.run(abort.signal),
    (async () => { for await (const event of news.events(abort.signal)) events.push(event); })(),
    (async () => { for await (const sample of news.usage(SAMPLE.node, abort.signal)) usage.push(sample); })(),
  ]);
  return { news, events, usage, gaps: () => gaps, stop: async () => { abort.abort(); await running; } };
}

needsNats('news (needs nats-server): heard by all over mutual TLS, lost while it is down, heard again after kill -9 with a gap told', async t => {
  const authority = await TestAuthority.create();
  const nats = await NatsProcess.start(authority);
  t.teardown(() => nats.remove());
  const speaker = await client(nats, authority, 'speaker');
  const listener = await client(nats, authority, 'listener');
  await until('both connected', () => speaker.news.isConnected && listener.news.isConnected);
  // A subscription may reach the server after the first message: say it until it is heard.
  await until('first event', () => { speaker.news.publishEvent(EVENT); return listener.events.length > 0; });
  await until('first sample', () => { speaker.news.publishUsage(SAMPLE); return listener.usage.length > 0; });
  t.deepEqual(listener.events[0], EVENT);
  t.deepEqual(listener.usage[0], SAMPLE);
  t.is(listener.gaps(), 0);

  await nats.kill();
  await until('both know that it is down', () => !speaker.news.isConnected && !listener.news.isConnected);
  const before = speaker.news.droppedCount;
  for (let count = 0; count < 1_000; count += 1) {
    speaker.news.publishEvent({ ...EVENT, reason: 'while-down' });
  }
  t.is(speaker.news.droppedCount - before, 1_000);

  await nats.start();
  await until('both connected again', () => speaker.news.isConnected && listener.news.isConnected);
  t.is(listener.gaps(), 1);
  await until('an event after the restart', () => { speaker.news.publishEvent({ ...EVENT, reason: 'after' }); return listener.events.some(event => event.reason === 'after'); });
  t.false(listener.events.some(event => event.reason === 'while-down'));
  await Promise.all([speaker.stop(), listener.stop()]);
});

needsNats('news (needs nats-server): a client without a server starts when it comes, a certificate of another CA never gets in', async t => {
  const authority = await TestAuthority.create();
  const nats = await NatsProcess.start(authority);
  t.teardown(() => nats.remove());
  await nats.kill();
  const early = await client(nats, authority, 'early');
  const stranger = await client(nats, await TestAuthority.create(), 'stranger');
  early.news.publishEvent(EVENT);
  t.is(early.news.droppedCount, 1);
  await nats.start();
  await until('connected', () => early.news.isConnected);
  await until('heard itself', () => { early.news.publishEvent(EVENT); return early.events.length > 0; });
  t.false(stranger.news.isConnected);
  await Promise.all([early.stop(), stranger.stop()]);
});

needsNats('news (needs nats-server): a node neither publishes, its own name included, nor hears anything; an operator hears and publishes nothing', async t => {
  const authority = await TestAuthority.create();
  const nats = await NatsProcess.start(authority);
  t.teardown(() => nats.remove());
  const controller = await client(nats, authority, 'c1');
  const operator = await client(nats, authority, 'operator', 'operator');
  const others = await Promise.all((['node', 'monitor'] as const).map(async role => await client(nats, authority, SAMPLE.node, role)));
  await until('the controller connected', () => controller.news.isConnected);
  await until('the operator connected', () => operator.news.isConnected);
  const forged = { ...SAMPLE, cpuMicroseconds: 999 };
  // Nothing can be waited for that is not to come: as many rounds as a connection takes many times over.
  await until('news that is heard', () => {
    [operator, ...others].forEach(({ news }) => { news.publishUsage(forged); news.publishEvent({ ...EVENT, reason: 'Forged' }); });
    controller.news.publishUsage(SAMPLE);
    return controller.usage.length > 50 && operator.usage.length > 50;
  });
  t.deepEqual(others.map(({ news }) => news.isConnected), [false, false]);
  t.deepEqual(others.flatMap(({ usage, events }) => [...usage, ...events]), []);
  t.deepEqual([...controller.usage, ...operator.usage].filter(sample => sample.cpuMicroseconds === 999), []);
  t.deepEqual([...controller.events, ...operator.events], []);
  await Promise.all([controller, operator, ...others].map(async ({ stop }) => { await stop(); }));
});
