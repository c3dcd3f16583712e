import type { ServeTunnelRequest } from '#gen/gantry/v1/agent.ts';
import type { OpenTunnelRequest } from '#gen/gantry/v1/control.ts';
import type * as wire from '#gen/gantry/v1/types.ts';
import { CopyDirection, StdioStream } from '#gen/gantry/v1/types.ts';
import { parseDigest } from '#model/digest.ts';
import { parseNodeId, parseTaskId } from '#model/ids.ts';
import type { TunnelFrame, TunnelRequest, TunnelSpec } from '#model/tunnel.ts';
import { nodeImageCodec, nodeImagesSpecCodec, pullProgressCodec } from './node-images-codec.ts';
import { usageSampleCodec } from './news-codec.ts';
import type { Codec } from './wire.ts';
import { enumCodec, field, optional, ownBytes, present, WireError } from './wire.ts';

type Direction = Extract<TunnelSpec, { kind: 'copy' }>['direction'];
type Stream = Extract<TunnelFrame, { kind: 'data' }>['stream'];

const directionCodec = enumCodec<Direction, CopyDirection>('copy direction', {
  in: CopyDirection.COPY_DIRECTION_IN, out: CopyDirection.COPY_DIRECTION_OUT,
});

const streamCodec = enumCodec<Stream, StdioStream>('stdio stream', {
  stdin: StdioStream.STDIO_STREAM_STDIN,
  stdout: StdioStream.STDIO_STREAM_STDOUT,
  stderr: StdioStream.STDIO_STREAM_STDERR,
});

export const tunnelRequestCodec: Codec<TunnelRequest, wire.TunnelTarget> = {
  toWire: request => ('task' in request
    ? { task: request.task, spec: { spec: specToWire(request.spec) }, container: request.container, node: '' }
    : { task: '', node: request.node, images: nodeImagesSpecCodec.toWire(request.images) }),
  fromWire: ({ task, spec, container, node, images }) => {
    if (images === undefined) {
      return present({ task: parseTaskId(task), spec: specFromWire(spec?.spec), container });
    }
    return { node: parseNodeId(node), images: nodeImagesSpecCodec.fromWire(images) };
  },
};

export const tunnelFrameCodec: Codec<TunnelFrame, wire.TunnelFrame> = {
  toWire: frame => ({ frame: frameToWire(frame) }),
  fromWire: frame => frameFromWire(frame.frame),
};

/** What the dialling end of a tunnel sends: first what it is for, then frames. */
export type TunnelMessage<Opening> =
  | { readonly kind: 'open'; readonly opening: Opening }
  | { readonly kind: 'frame'; readonly frame: TunnelFrame };

/** Of ControlApi.OpenTunnel and PeerApi.Relay. */
export const openTunnelCodec: Codec<TunnelMessage<TunnelRequest>, OpenTunnelRequest> = {
  toWire: message => ({
    message: message.kind === 'open'
      ? { $case: 'open', value: tunnelRequestCodec.toWire(message.opening) }
      : { $case: 'frame', value: tunnelFrameCodec.toWire(message.frame) },
  }),
  fromWire: ({ message }) => {
    switch (message?.$case) {
      case undefined: throw new WireError('tunnel message is empty');
      case 'open': return { kind: 'open', opening: tunnelRequestCodec.fromWire(message.value) };
      case 'frame': return { kind: 'frame', frame: tunnelFrameCodec.fromWire(message.value) };
    }
  },
};

/** Of AgentApi.ServeTunnel; it opens with the tunnel's id. */
export const serveTunnelCodec: Codec<TunnelMessage<string>, ServeTunnelRequest> = {
  toWire: message => ({
    message: message.kind === 'open'
      ? { $case: 'tunnelId', value: message.opening }
      : { $case: 'frame', value: tunnelFrameCodec.toWire(message.frame) },
  }),
  fromWire: ({ message }) => {
    switch (message?.$case) {
      case undefined: throw new WireError('tunnel message is empty');
      case 'tunnelId': return { kind: 'open', opening: message.value };
      case 'frame': return { kind: 'frame', frame: tunnelFrameCodec.fromWire(message.value) };
    }
  },
};

/** What the other end sends. */
export const tunnelAnswerCodec: Codec<TunnelFrame, { readonly frame?: wire.TunnelFrame | undefined }> = field('frame', tunnelFrameCodec);

function specToWire(spec: TunnelSpec): NonNullable<wire.TunnelSpec['spec']> {
  switch (spec.kind) {
    case 'logs': return { $case: 'logs', value: spec };
    case 'exec': return { $case: 'exec', value: spec };
    case 'attach': return { $case: 'attach', value: spec };
    case 'copy': return { $case: 'copy', value: { path: spec.path, direction: directionCodec.toWire(spec.direction) } };
    case 'forward': return { $case: 'forward', value: spec };
    case 'debug': return { $case: 'debug', value: spec };
    case 'stats': return { $case: 'stats', value: spec };
    case 'inspect': return { $case: 'inspect', value: {} };
  }
}

function specFromWire(spec: wire.TunnelSpec['spec']): TunnelSpec {
  switch (spec?.$case) {
    case undefined: throw new WireError('tunnel.spec is missing');
    case 'logs': return { kind: 'logs', ...present(spec.value) };
    case 'exec': return { kind: 'exec', ...present(spec.value) };
    case 'attach': return { kind: 'attach', ...present(spec.value) };
    case 'copy': return { kind: 'copy', path: spec.value.path, direction: directionCodec.fromWire(spec.value.direction) };
    case 'forward': return { kind: 'forward', port: spec.value.port };
    case 'debug': return { kind: 'debug', ...present({ ...spec.value, digest: optional(spec.value.digest, parseDigest) }) };
    case 'stats': return { kind: 'stats', tasks: spec.value.tasks.map(parseTaskId), intervalMs: spec.value.intervalMs, withWritable: spec.value.withWritable };
    case 'inspect': return { kind: 'inspect' };
  }
}

function frameToWire(frame: TunnelFrame): NonNullable<wire.TunnelFrame['frame']> {
  switch (frame.kind) {
    case 'data': return { $case: 'data', value: { stream: streamCodec.toWire(frame.stream), bytes: frame.bytes } };
    case 'resize': return { $case: 'resize', value: frame.size };
    case 'signal': return { $case: 'signal', value: { signal: frame.signal } };
    case 'stop': return { $case: 'stop', value: { graceMs: frame.graceMs } };
    case 'eof': return { $case: 'eof', value: {} };
    case 'exit': return { $case: 'exit', value: { code: frame.code } };
    case 'error': return { $case: 'error', value: { code: frame.code, message: frame.message } };
    case 'image': return { $case: 'image', value: nodeImageCodec.toWire(frame.image) };
    case 'pull': return { $case: 'pull', value: pullProgressCodec.toWire(frame.layers) };
    case 'usage': return { $case: 'usage', value: usageSampleCodec.toWire(frame.sample) };
  }
}

function frameFromWire(frame: wire.TunnelFrame['frame']): TunnelFrame {
  switch (frame?.$case) {
    case 'data': return { kind: 'data', stream: streamCodec.fromWire(frame.value.stream), bytes: ownBytes(frame.value.bytes) };
    case 'resize': return { kind: 'resize', size: frame.value };
    case 'signal': return { kind: 'signal', signal: frame.value.signal };
    case 'stop': return { kind: 'stop', ...present(frame.value) };
    case 'eof': return { kind: 'eof' };
    default: return answerFromWire(frame);
  }
}

/** What only an agent says. */
function answerFromWire(frame: Exclude<wire.TunnelFrame['frame'], { readonly $case: 'data' | 'resize' | 'signal' | 'stop' | 'eof' }>): TunnelFrame {
  switch (frame?.$case) {
    case undefined: throw new WireError('tunnel frame is empty');
    case 'exit': return { kind: 'exit', code: frame.value.code };
    case 'error': return { kind: 'error', ...frame.value };
    case 'image': return { kind: 'image', image: nodeImageCodec.fromWire(frame.value) };
    case 'pull': return { kind: 'pull', layers: pullProgressCodec.fromWire(frame.value) };
    case 'usage': return { kind: 'usage', sample: usageSampleCodec.fromWire(frame.value) };
  }
}

