import test from 'ava';
import { binarySize, decimalSize } from '../../../../cli/format/docker-units.ts';

test('decimal sizes, as docker stats writes traffic', t => {
  t.deepEqual([0, 999, 1000, 1446, 1_000_000, 12_345_678, 1e18].map(decimalSize), ['0B', '999B', '1kB', '1.45kB', '1MB', '12.3MB', '1EB']);
});
test('binary sizes, as docker stats writes memory', t => {
  t.deepEqual([0, 1023, 1024, 8_298_496, 512 * 2 ** 20, 2 ** 30 * 1.9].map(binarySize), ['0B', '1023B', '1KiB', '7.914MiB', '512MiB', '1.9GiB']);
});
