import test from 'ava';
import { NodeLoop } from '../../../agent/node-loop.ts';
import type { TaskSet } from '../../../agent/task/task-set-loop.ts';

/** A node whose parts fail as told. */
class Rig {
  readonly made: string[] = [];
  readonly faults: string[] = [];
  readonly broken = new Map<string, string>();
  readonly signal = new AbortController().signal;
  recovered = 0;
  readonly loop: NodeLoop;

  constructor() {
    const make = async (part: string): Promise<void> => {
      const message = this.broken.get(part);
      if (message !== undefined) throw new Error(message);
      this.made.push(part);
      await Promise.resolve();
    };
    this.loop = new NodeLoop({
      network: { setUp: async () => { await make('network'); } }, proxy: { setUp: async () => { await make('proxy'); } },
      dns: { ensureRunning: async () => { await make('names'); } },
      recover: () => { this.recovered += 1; return Promise.resolve({ records: [] } as unknown as TaskSet); },
      onNetworkFault: fault => { this.faults.push(fault); },
    });
  }
}

test('a node whose network cannot be made takes its tasks back all the same, says what is wrong, and starts nothing meanwhile', async t => {
  const rig = new Rig();
  rig.broken.set('network', 'ip -batch -: exit 1:\nRTNETLINK answers: Address already in use');
  await rig.loop.bringUp(1, rig.signal);
  t.is(rig.recovered, 1);
  t.true(rig.loop.isUp);
  t.deepEqual(rig.faults, ['network: ip -batch -: exit 1: RTNETLINK answers: Address already in use']);
  t.is(rig.loop.networkFault, rig.faults[0]!);
  t.is(rig.loop.networkProblem(), rig.faults[0]);
  t.deepEqual(rig.made, []);
});

test('what could not be made is tried again in the same order, and the fault ends with the first try that works', async t => {
  const rig = new Rig();
  rig.broken.set('proxy', 'nft: no such family');
  await rig.loop.bringUp(1, rig.signal);
  await t.throwsAsync(rig.loop.ensureNetwork(rig.signal), { message: 'nft: no such family' });
  t.deepEqual(rig.made, ['network', 'network']);
  rig.broken.clear();
  await rig.loop.ensureNetwork(rig.signal);
  t.deepEqual(rig.faults, ['proxy: nft: no such family', '']);
  t.is(rig.loop.networkProblem(), undefined);
  await rig.loop.ensureNetwork(rig.signal);
  t.deepEqual(rig.made, ['network', 'network', 'network', 'proxy', 'names']);
  t.is(rig.recovered, 1);
});

test('one audit that does not work is no fault, two in a row are, and one that works ends it; tasks start all the while', async t => {
  const rig = new Rig();
  await rig.loop.bringUp(1, rig.signal);
  rig.loop.audited({ part: 'network', error: new Error('slow') });
  rig.loop.audited(undefined);
  rig.loop.audited({ part: 'network', error: new Error('vxlan') });
  t.deepEqual(rig.faults, []);
  rig.loop.audited({ part: 'network', error: new Error('vxlan') });
  t.deepEqual(rig.faults, ['network: vxlan']);
  t.is(rig.loop.networkProblem(), undefined);
  rig.loop.audited(undefined);
  t.deepEqual(rig.faults, ['network: vxlan', '']);
});

test('an audit before the node has a subnet, or before its network was made, says nothing', async t => {
  const rig = new Rig();
  rig.loop.audited({ part: 'network', error: new Error('the node has no subnet yet') });
  rig.loop.audited({ part: 'network', error: new Error('the node has no subnet yet') });
  await rig.loop.ensureNetwork(rig.signal);
  t.deepEqual([rig.faults, rig.made], [[], []]);
  rig.broken.set('network', 'no vxlan');
  await rig.loop.bringUp(1, rig.signal);
  rig.loop.audited(undefined);
  t.deepEqual(rig.faults, ['network: no vxlan']);
});

test('a fault is told in a bounded text', async t => {
  const rig = new Rig();
  rig.broken.set('network', 'x'.repeat(10_000));
  await rig.loop.bringUp(1, rig.signal);
  t.true(Buffer.byteLength(rig.loop.networkFault) <= 512);
});

test('another subnet is refused while the agent runs', async t => {
  const rig = new Rig();
  await rig.loop.bringUp(1, rig.signal);
  await t.throwsAsync(rig.loop.bringUp(2, rig.signal), { message: 'the node\'s subnet is 1 and cannot become 2 while the agent runs' });
});
