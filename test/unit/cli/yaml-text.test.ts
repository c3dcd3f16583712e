import test from 'ava';
import { formatYaml, parseYaml } from '../../../cli/yaml-text.ts';

test('what is formatted is read back', t => {
  const plain = { name: 'web', ports: [80, 443], version: '1.10' };
  t.deepEqual(parseYaml(formatYaml(plain)), plain);
});
