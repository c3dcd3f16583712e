import test from 'ava';
import { parseLabelSelector, selects } from '../../../cli/label-selector.ts';

const LABELS: readonly (readonly [string, ReadonlyMap<string, string>])[] = [
  ['a', new Map([['zone', 'a'], ['tier', 'web']])], ['b', new Map([['zone', 'b'], ['example.com/rack', 'r1']])], ['none', new Map()],
];

const selecting = test.macro({
  exec(t, text: string, expected: string) {
    const selector = parseLabelSelector(text);
    t.is('problem' in selector ? selector.problem : LABELS.filter(([, labels]) => selects(selector, labels)).map(([name]) => name).join(' '), expected);
  },
  title: (_, text: string, expected: string) => `-l '${text}' selects ${expected}`,
});
test(selecting, 'zone=a', 'a');
test(selecting, 'zone==a', 'a');
test(selecting, 'zone = a', 'a');
test(selecting, 'zone!=b', 'a none');
test(selecting, 'zone in (a, b)', 'a b');
test(selecting, 'zone in (b)', 'b');
test(selecting, 'zone notin (a,b)', 'none');
test(selecting, 'zone', 'a b');
test(selecting, '!zone', 'none');
test(selecting, '! zone', 'none');
test(selecting, 'zone,tier!=web', 'b');
test(selecting, 'zone in (a,b),example.com/rack=r1', 'b');
test(selecting, 'in=a', '');

for (const text of ['zone=a=b', '=a', ',,', 'zone=a,', '!', 'zone in', 'zone in a', 'zone in (a', 'zone in(a) b', 'a b', 'zone>1', 'zone!a', 'zone in (a b)']) {
  test(`-l '${text}' is none`, t => {
    const selector = parseLabelSelector(text);
    t.regex('problem' in selector ? selector.problem : JSON.stringify(selector), /is none of key=value, key!=value, key in \(a, b\)/);
  });
}
