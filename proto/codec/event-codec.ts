import type * as wire from '#gen/gantry/v1/types.ts';
import { EventType } from '#gen/gantry/v1/types.ts';
import type { ClusterEvent } from '#model/event.ts';
import type { Codec } from './wire.ts';
import { enumCodec } from './wire.ts';

const eventTypeCodec = enumCodec<ClusterEvent['type'], EventType>('event type', {
  normal: EventType.EVENT_TYPE_NORMAL, warning: EventType.EVENT_TYPE_WARNING,
});

export const eventCodec: Codec<ClusterEvent, wire.ClusterEvent> = {
  toWire: ({ messages = [], ...event }) => ({ ...event, type: eventTypeCodec.toWire(event.type), messages: [...messages] }),
  fromWire: ({ messages, ...event }) => ({ ...event, type: eventTypeCodec.fromWire(event.type), ...(messages.length === 0 ? {} : { messages }) }),
};
