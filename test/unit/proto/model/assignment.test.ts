import test from 'ava';
import { configContentKey, secretContentKey } from '#model/assignment.ts';

test('keys of contents tell configs, secrets, their names and versions apart', t => {
  const keys = [configContentKey('ab'), configContentKey('b'), secretContentKey('a', 'b', 1), secretContentKey('a', 'b', 11), secretContentKey('a', 'b-1', 1), secretContentKey('a-b', '1', 1)];
  t.is(new Set(keys).size, keys.length);
});
