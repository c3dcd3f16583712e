import test from 'ava';
import { conmonArgs } from '../../../../agent/runtime/conmon-args.ts';
import { golden } from '../../../support/golden.ts';

const INPUT = {
  id: 'a-1', runtimePath: '/usr/bin/crun', runtimeRoot: '/run/gantry/crun/root', bundlePath: '/run/gantry/bundles/a-1', exitDir: '/run/gantry/exits',
  recordDir: '/run/gantry/records/a-1', terminal: false, stdin: false,
};
test('a plain container', t => { golden(t, 'runtime/conmon-plain.txt', `${conmonArgs(INPUT).join('\n')}\n`); });
test('stdin ends with its client, a terminal stays open for the next one', t => {
  const extra = (options: Partial<typeof INPUT>): readonly string[] => conmonArgs({ ...INPUT, ...options }).slice(conmonArgs(INPUT).length);
  t.deepEqual(extra({ stdin: true }), ['--stdin']);
  t.deepEqual(extra({ terminal: true }), ['--terminal']);
  t.deepEqual(extra({ terminal: true, stdin: true }), ['--terminal', '--stdin', '--leave-stdin-open']);
});
