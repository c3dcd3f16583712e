/** `update` of a service: how its tasks are replaced. */
import { hasOneCopy } from './exclusive.ts';
import { parseDuration } from './quantity.ts';
import { quoted } from './printable.ts';
import type { KeyTable, SchemaField } from './schema-field.ts';
import { PROMOTE_MODES } from './service.ts';
import type { DisconnectSpec, UpdateSpec } from './service.ts';

const UPDATE_KEYS: KeyTable = { known: ['strategy', 'max_surge', 'max_unavailable', 'monitor', 'on_failure', 'steps', 'promote', 'progress_deadline'] };
const DEFAULT_MONITOR_MS = 5_000;

/** What never runs two copies of a replica cannot start the new one first. */
export function readUpdate(field: SchemaField, onDisconnect: DisconnectSpec): UpdateSpec {
  field.checkKeys(UPDATE_KEYS);
  const isStopFirst = hasOneCopy(onDisconnect);
  const progressDeadlineMs = field.at('progress_deadline').parsed(parseDuration);
  const strategy = field.at('strategy').choice({ words: ['rolling', 'canary', 'blue_green', 'recreate'] }, 'rolling');
  return {
    strategy,
    maxSurge: field.at('max_surge').integer(isStopFirst ? 0 : 1),
    maxUnavailable: field.at('max_unavailable').integer(isStopFirst ? 1 : 0),
    monitorMs: field.at('monitor').parsed(parseDuration) ?? DEFAULT_MONITOR_MS,
    onFailure: field.at('on_failure').choice({ words: ['rollback', 'pause'] }, 'rollback'),
    ...readSteps(field.at('steps'), strategy),
    ...readPromote(field.at('promote'), strategy),
    ...(progressDeadlineMs === undefined ? {} : { progressDeadlineMs }),
  };
}

function readSteps(field: SchemaField, strategy: UpdateSpec['strategy']): Pick<UpdateSpec, 'stepPercents'> {
  if (strategy !== 'canary') {
    if (field.isPresent) {
      field.complain('only the strategy canary has steps');
    }
    return {};
  }
  field.require();
  return { stepPercents: field.items().map(item => parsePercent(item)) };
}

function parsePercent(item: SchemaField): number {
  return item.parsed(text => {
    const match = /^(\d{1,3})%$/.exec(text);
    if (match === null) {
      return { problem: `must be a share of the replicas, as 25%, got ${quoted(text)}` };
    }
    return { value: Number(match[1]) };
  }) ?? 0;
}

function readPromote(field: SchemaField, strategy: UpdateSpec['strategy']): Pick<UpdateSpec, 'promote'> {
  if (!field.isPresent) {
    return {};
  }
  if (strategy !== 'canary' && strategy !== 'blue_green') {
    field.complain('only the strategies canary and blue_green are promoted');
    return {};
  }
  return { promote: field.choice({ words: [...PROMOTE_MODES] }, 'auto') };
}
