import test from 'ava';
import { nearestWord } from '#model/nearest-word.ts';

const finds = test.macro({
  exec(t, word: string, known: readonly string[], expected: string | undefined) { t.is(nearestWord(word, known), expected); },
  title: (_, word: string, known: readonly string[]) => `${word} among ${known.join(' ')}`,
});
test(finds, 'intervall', ['interval', 'timeout'], 'interval');
test(finds, 'Replicas', ['replicas'], 'replicas');
test(finds, 'aply', ['apply', 'exec'], 'apply');
test(finds, 'foo', ['interval', 'timeout'], undefined);
test(finds, 'ab', ['cd'], undefined);
test(finds, 'tcp', ['udp', 'tcq'], 'tcq');
