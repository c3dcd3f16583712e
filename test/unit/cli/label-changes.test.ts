import test from 'ava';
import { parseLabelChanges, splitLabelWords } from '../../../cli/label-changes.ts';

test('KEY=VALUE sets, KEY- removes; a value may be empty or hold =', t => {
  t.deepEqual(parseLabelChanges(['disk=ssd', 'zone-', 'a=', 'b=c=d']), { set: new Map([['disk', 'ssd'], ['a', ''], ['b', 'c=d']]), remove: ['zone'] });
});
test('anything else is refused', t => {
  for (const word of ['disk', '=x', '-', '']) {
    t.throws(() => parseLabelChanges([word]), { name: 'UsageError', message: /write KEY=VALUE to set, KEY- to remove/ });
  }
  t.throws(() => parseLabelChanges(['a=1', 'a-']), { message: 'label a cannot be both set and removed' });
});
test('objects come first, as TYPE/NAME or after their type', t => {
  t.deepEqual(splitLabelWords(['node/n1', 'node/n2', 'a=1', 'b-']), { names: ['node/n1', 'node/n2'], changes: ['a=1', 'b-'] });
  t.deepEqual(splitLabelWords(['nodes', 'n1', 'n2', 'b-']), { names: ['nodes/n1', 'nodes/n2'], changes: ['b-'] });
  for (const words of [[], ['node'], ['node', 'n1'], ['node/n1'], ['node', 'a=1']]) {
    t.throws(() => splitLabelWords(words), { name: 'UsageError' });
  }
});
