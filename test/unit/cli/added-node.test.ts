import test from 'ava';
import { parseAddedNode } from '../../../cli/added-node.ts';
import { UsageError } from '../../../cli/options.ts';

test('name, capacity, taints, runtimes; every other key is a label', t => {
  t.deepEqual(parseAddedNode('name=n9,cpu=4,memory=8Gi,taint=spot,taint=gpu,runtime=runc,zone=b'), {
    name: 'n9' as never, capacity: { milliCpu: 4_000, memoryBytes: 8 * 1024 ** 3 }, taints: ['spot', 'gpu'], runtimes: ['runc'], labels: new Map([['zone', 'b']]),
  });
});
for (const text of ['', 'n9', 'name=n9,cpu=4', 'name=N9,cpu=4,memory=1Gi', 'name=n9,cpu=x,memory=1Gi', 'name=n9,cpu=4,memory=8G', 'name=a,name=b,cpu=1,memory=1Gi', '=x,name=a']) {
  test(`refused: ${text}`, t => {
    t.throws(() => parseAddedNode(text), { instanceOf: UsageError, message: /--add-node/ });
  });
}
