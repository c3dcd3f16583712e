import test from 'ava';
import { parseAddedNode } from '../../../cli/added-node.ts';
import { UsageError } from '../../../cli/options.ts';

test('name, capacity, taints, runtimes; every other key is a label', t => {
  t.deepEqual(parseAddedNode('name=n9,cpu=4,memory=8Gi,taint=spot,taint=gpu,runtime=runc,zone=b'), {
    name: 'n9' as never, capacity: { milliCpu: 4_000, memoryBytes: 8 * 1024 ** 3 }, taints: ['spot', 'gpu'], runtimes: ['runc'], labels: new Map([['zone', 'b']]), devices: [],
  });
});
test('disk, processes and devices where they are said', t => {
  const { capacity, devices, labels } = parseAddedNode('name=n9,cpu=4,memory=8Gi,disk=100Gi,pids=4096,device=nvidia.com/gpu:2,device=fpga:1');
  t.deepEqual(capacity, { milliCpu: 4_000, memoryBytes: 8 * 1024 ** 3, diskBytes: 100 * 1024 ** 3, pids: 4_096 });
  t.deepEqual(devices, [{ name: 'fpga', count: 1 }, { name: 'nvidia.com/gpu', count: 2 }]);
  t.is(labels.size, 0);
});

test('a label that is named as an amount is', t => {
  t.deepEqual([...parseAddedNode('name=n9,cpu=4,memory=8Gi,disk=1Gi,label.disk=ssd,label.zone=b').labels], [['disk', 'ssd'], ['zone', 'b']]);
  t.throws(() => parseAddedNode('name=n9,cpu=4,memory=8Gi,disk=ssd'), { message: /a label of that name is written label\.disk=/ });
});

test('a key that looks like one of ours is no label by chance', t => {
  for (const [key, meant] of [['mem', 'memory'], ['memroy', 'memory'], ['cpus', 'cpu'], ['CPU', 'cpu'], ['pid', 'pids'], ['devices', 'device'], ['taints', 'taint']] as const) {
    const message = `--add-node ${key}=...: did you mean ${meant}=...? a label of that name is written label.${key}=...`;
    t.throws(() => parseAddedNode(`name=n9,cpu=4,memory=8Gi,${key}=1`), { instanceOf: UsageError, message }, key);
    t.is(parseAddedNode(`name=n9,cpu=4,memory=8Gi,label.${key}=1`).labels.get(key), '1');
  }
  t.throws(() => parseAddedNode('name=n9,cpu=4,mem=8Gi'), { message: /did you mean memory=/ });
  t.deepEqual([...parseAddedNode('name=n9,cpu=4,memory=8Gi,zone=b,arch=arm64,tier=web,rack=7').labels.keys()], ['zone', 'arch', 'tier', 'rack']);
});

const REST = 'name=n9,cpu=4,memory=1Gi';
for (const text of [
  `${REST},disk=9G`, `${REST},pids=0`, `${REST},pids=x`, `${REST},pids=1,pids=2`, `${REST},device=nvidia.com/gpu`, `${REST},device=GPU:1`, `${REST},device=gpu:0`, `${REST},device=gpu:1:2`, `${REST},device=gpu:1,device=gpu:2`,
  '', 'n9', 'name=n9,cpu=4', 'name=N9,cpu=4,memory=1Gi', 'name=n9,cpu=x,memory=1Gi', 'name=n9,cpu=4,memory=8G', 'name=a,name=b,cpu=1,memory=1Gi', '=x,name=a',
]) {
  test(`refused: ${text}`, t => {
    t.throws(() => parseAddedNode(text), { instanceOf: UsageError, message: /--add-node/ });
  });
}
