/** `--add-node` text -> a node that is not there. */
import type { AddedNode } from '#model/cluster-plan.ts';
import { parseNodeId } from '#model/ids.ts';
import { quoted } from '#model/printable.ts';
import { parseCpu, parseMemory } from '#model/quantity.ts';
import type { Parsed } from '#model/quantity.ts';
import { UsageError } from './options.ts';

/** `name=n9,cpu=4,memory=8Gi,taint=spot,runtime=runc,zone=b`: any other key is a label. @throws UsageError naming the part */
export function parseAddedNode(text: string): AddedNode {
  const pairs = text.split(',').map(part => {
    const equals = part.indexOf('=');
    if (equals < 1) {
      throw new UsageError(`--add-node ${quoted(part)}: write KEY=VALUE, as in name=n9,cpu=4,memory=8Gi,zone=b`);
    }
    return [part.slice(0, equals), part.slice(equals + 1)] as const;
  });
  const all = (key: string): readonly string[] => pairs.filter(([name]) => name === key).map(([, value]) => value);
  const one = (key: string): string => {
    const [value, other] = all(key);
    if (value === undefined || other !== undefined) {
      throw new UsageError(`--add-node needs one ${key}=..., as in name=n9,cpu=4,memory=8Gi`);
    }
    return value;
  };
  const own = new Set(['name', 'cpu', 'memory', 'taint', 'runtime']);
  return {
    name: parseName(one('name')),
    capacity: { milliCpu: valueOf('cpu', parseCpu(one('cpu'))), memoryBytes: valueOf('memory', parseMemory(one('memory'))) },
    labels: new Map(pairs.filter(([key]) => !own.has(key))), taints: all('taint'), runtimes: all('runtime'),
  };
}

function parseName(text: string): AddedNode['name'] {
  try {
    return parseNodeId(text);
  } catch {
    throw new UsageError(`--add-node name=${text}: a name has small letters, digits and -, at most 63`);
  }
}

function valueOf(key: string, parsed: Parsed<number>): number {
  if ('problem' in parsed) {
    throw new UsageError(`--add-node ${key}: ${parsed.problem}`);
  }
  return parsed.value;
}
