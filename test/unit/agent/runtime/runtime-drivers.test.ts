import test from 'ava';
import { RUNTIME_DRIVERS, runtimeDriver } from '../../../../agent/runtime/runtime-drivers.ts';

test('names are labels, each once, with absolute programs', t => {
  t.is(new Set(RUNTIME_DRIVERS.map(({ name }) => name)).size, RUNTIME_DRIVERS.length);
  for (const { name, programs } of RUNTIME_DRIVERS) {
    t.regex(name, /^[a-z][a-z0-9-]*$/);
    t.true(programs.length > 0 && programs.every(program => program.startsWith('/')), name);
  }
});
test('a name without an entry is refused', t => {
  t.is(runtimeDriver('crun').name, 'crun');
  t.throws(() => runtimeDriver('rkt'), { instanceOf: RangeError });
});
