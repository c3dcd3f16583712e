/** Bytes of news. They are read by running programs only, so they carry no schema byte. */
import { UsageSample as WireSample } from '#gen/gantry/v1/news.ts';
import { ClusterEvent as WireEvent } from '#gen/gantry/v1/types.ts';
import type { ClusterEvent } from '#model/event.ts';
import { parseNodeId, parseTaskId } from '#model/ids.ts';
import type { UsageSample } from '#model/usage.ts';
import { eventCodec } from './event-codec.ts';
import type { Codec } from './wire.ts';
import { present } from './wire.ts';

export const usageSampleCodec: Codec<UsageSample, WireSample> = {
  toWire: sample => sample,
  fromWire: sample => present({ ...sample, node: parseNodeId(sample.node), task: parseTaskId(sample.task) }),
};

export function encodeEventNews(event: ClusterEvent): Uint8Array {
  return WireEvent.encode(eventCodec.toWire(event)).finish();
}

/** @throws Error for bytes that are no event */
export function decodeEventNews(bytes: Uint8Array): ClusterEvent {
  return eventCodec.fromWire(WireEvent.decode(bytes));
}

export function encodeUsageNews(sample: UsageSample): Uint8Array {
  return WireSample.encode(usageSampleCodec.toWire(sample)).finish();
}

/** @throws Error for bytes that are no sample */
export function decodeUsageNews(bytes: Uint8Array): UsageSample {
  return usageSampleCodec.fromWire(WireSample.decode(bytes));
}
