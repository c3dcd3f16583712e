import test from 'ava';
import { parseEnvFile } from '../../../cli/env-file.ts';

const HERE = new Map([['HOME', '/root']]);

test('a value is everything behind the first =, as in docker', t => {
  t.deepEqual(parseEnvFile('\uFEFF# comment\r\n\n  A=1\nB="x y" \nC=a=b\nD=\n', HERE), {
    variables: [{ name: 'A', value: '1' }, { name: 'B', value: '"x y" ' }, { name: 'C', value: 'a=b' }, { name: 'D', value: '' }], badLines: [],
  });
});

test('a name alone passes on the value it has here, and is left out where it has none', t => {
  t.deepEqual(parseEnvFile('HOME\nNOT_SET\n', HERE).variables, [{ name: 'HOME', value: '/root' }]);
});

test('a line without a name, or with white space in it, is bad', t => {
  t.deepEqual(parseEnvFile('A=1\n=2\nmy name=3\n', HERE), { variables: [{ name: 'A', value: '1' }], badLines: [2, 3] });
});
