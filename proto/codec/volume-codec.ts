import type * as control from '#gen/gantry/v1/control.ts';
import type * as wire from '#gen/gantry/v1/types.ts';
import { VolumeState as WireState } from '#gen/gantry/v1/types.ts';
import { parseNodeId, parseServiceId, parseTaskId } from '#model/ids.ts';
import type { VolumeView } from '#model/ports.ts';
import type { Volume, VolumeState } from '#model/volume.ts';
import type { RequestOf } from './control-codec.ts';
import type { Codec } from './wire.ts';
import { enumCodec, optional, present, required } from './wire.ts';

const stateCodec = enumCodec<VolumeState, WireState>('volume state', {
  present: WireState.VOLUME_STATE_PRESENT, removing: WireState.VOLUME_STATE_REMOVING, removed: WireState.VOLUME_STATE_REMOVED,
});

export const volumeCodec: Codec<Volume, wire.Volume> = {
  toWire: volume => ({ ...volume, state: stateCodec.toWire(volume.state) }),
  fromWire: volume => present({ ...volume, node: parseNodeId(volume.node), state: stateCodec.fromWire(volume.state) }),
};

export const volumeViewCodec: Codec<VolumeView, control.VolumeView> = {
  toWire: view => ({ ...view, volume: volumeCodec.toWire(view.volume) }),
  fromWire: view => present({
    ...view, volume: volumeCodec.fromWire(required(view.volume, 'volume')),
    users: view.users.map(({ task, name }) => ({ task: parseTaskId(task), name })), services: view.services.map(parseServiceId),
  }),
};

export const listVolumesRequestCodec: Codec<RequestOf<'listVolumes'>, control.ListVolumesRequest> = { toWire: request => request, fromWire: present };

export const removeVolumeRequestCodec: Codec<RequestOf<'removeVolume'>, control.RemoveVolumeRequest> = {
  toWire: request => request, fromWire: request => present({ ...request, node: optional(request.node, parseNodeId) }),
};
