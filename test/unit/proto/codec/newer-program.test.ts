/** Records and messages of a newer program: read, and written again without losing anything. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import * as agent from '#gen/gantry/v1/agent.ts';
import * as control from '#gen/gantry/v1/control.ts';
import * as stored from '#gen/gantry/v1/stored.ts';
import * as types from '#gen/gantry/v1/types.ts';
import * as app from '#codec/app-codec.ts';
import { eventCodec } from '#codec/event-codec.ts';
import { namespaceCodec } from '#codec/namespace-codec.ts';
import * as node from '#codec/node-codec.ts';
import { planRecordCodec } from '#codec/plan-codec.ts';
import * as request from '#codec/request-codec.ts';
import { serviceCodec, serviceStatusCodec } from '#codec/service-codec.ts';
import { agentMessageCodec, controllerMessageCodec } from '#codec/session-codec.ts';
import { taskCodec, taskStatusCodec } from '#codec/task-codec.ts';
import { clusterViewCodec } from '#codec/view-codec.ts';
import { volumeCodec } from '#codec/volume-codec.ts';
import type { Codec } from '#codec/wire.ts';
import { fc } from '../../../support/property.ts';
import * as values from '../../../support/wire-arbitraries.ts';

type Fields = Record<string, unknown>;
interface Message { encode(message: never): { finish(): Uint8Array }; decode(bytes: Uint8Array): unknown }
type Kind = readonly [name: string, message: Message, codec: Codec<never, never>, value: fc.Arbitrary<unknown>];

const ROOT = path.resolve(import.meta.dirname, '../../../..');
const image = spawnSync(path.join(ROOT, 'node_modules/.bin/buf'), ['build', 'proto', '-o', '-#format=binpb'], { cwd: ROOT, maxBuffer: 2 ** 24 }).stdout;
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));

/** Read, changed and written again by this program. */
const REWRITTEN: readonly Kind[] = [
  kind('App', types.App, app.appCodec, values.app),
  kind('Revision', types.Revision, app.revisionCodec, values.revision),
  kind('Service', types.Service, serviceCodec, values.service),
  kind('ServiceStatus', types.ServiceStatus, serviceStatusCodec, values.serviceStatus),
  kind('Task', types.Task, taskCodec, values.task),
  kind('TaskStatus', types.TaskStatus, taskStatusCodec, values.taskStatus),
  kind('Node', types.Node, node.nodeCodec, values.node),
  kind('SessionRecord', stored.SessionRecord, node.sessionRecordCodec, values.sessionRecord),
  kind('RemovedNode', stored.RemovedNode, node.removedNodeCodec, values.removedNode),
  kind('ControllerRecord', types.ControllerRecord, node.controllerRecordCodec, values.controllerRecord),
  kind('Ledger', types.Ledger, node.ledgerCodec, values.ledger),
  kind('SecretVersion', stored.SecretVersion, app.secretVersionCodec, values.secretVersion),
  kind('RegistryLoginRecord', stored.RegistryLoginRecord, request.registryLoginCodec, values.registryLogin),
  kind('ClusterEvent', types.ClusterEvent, eventCodec, values.event),
  kind('JoinTokenRecord', stored.JoinTokenRecord, request.joinTokenCodec, values.joinToken),
  kind('PlanRecord', stored.PlanRecord, planRecordCodec, values.planRecord),
  kind('Namespace', types.Namespace, namespaceCodec, values.namespace),
  kind('Volume', types.Volume, volumeCodec, values.volume),
  kind('ClusterSettings', stored.ClusterSettings, request.clusterSettingsCodec, values.clusterSettings),
];

/** Written once, or only sent: it is enough that each can be read. */
const READ: readonly Kind[] = [
  kind('RequestRecord', stored.RequestRecord, request.requestRecordCodec, values.requestRecord),
  kind('SessionRequest', agent.SessionRequest, agentMessageCodec, values.agentMessage),
  kind('SessionResponse', agent.SessionResponse, controllerMessageCodec, values.controllerMessage),
  kind('ClusterView', control.ClusterView, clusterViewCodec, values.clusterView),
];

function kind<Model, Wire>(name: string, message: types.MessageFns<Wire>, codec: Codec<Model, Wire>, value: fc.Arbitrary<Model>): Kind {
  return [name, message, codec as never, value];
}

/** Lists of texts that only have a message around them to tell none from absent. */
const FLAT = new Set(['gantry.v1.Command']);
/** Field 5000 as a varint, which no message has. */
const NEW_FIELD = { [(5_000 << 3) | 0]: [new Uint8Array([42])] };
const NEW_NUMBER = 4_242;

function descriptor(name: string): DescMessage {
  const found = registry.getMessage(`gantry.v1.${name}`);
  if (found === undefined) throw new Error(`${name} is not in the image of the wire`);
  return found;
}

/** The decoded message as a newer program sends it: `change` is applied to each message in it. */
function changed(value: unknown, message: DescMessage, change: (fields: Fields, message: DescMessage) => Fields): Fields {
  const own: Fields = { ...value as Fields };
  for (const field of message.fields) {
    const [holder, name] = placeOf(own, field);
    const held = holder?.[name];
    if (holder === undefined || held === undefined || field.message === undefined) continue;
    const inner = field.message;
    holder[name] = field.fieldKind === 'list' ? (held as unknown[]).map(one => changed(one, inner, change)) : changed(held, inner, change);
  }
  return change(own, message);
}

/** Where the decoded message has the field: in itself, or in the union of its oneof. */
function placeOf(own: Fields, field: DescField): readonly [Fields | undefined, string] {
  if (field.oneof === undefined || field.proto.proto3Optional) return [own, field.localName];
  const union = own[field.oneof.localName] as Fields | undefined;
  if (union?.['$case'] !== field.localName) return [undefined, ''];
  const copy = { ...union };
  own[field.oneof.localName] = copy;
  return [copy, 'value'];
}

function withNewField(fields: Fields, { typeName }: DescMessage): Fields {
  return FLAT.has(typeName) ? fields : { ...fields, _unknownFields: NEW_FIELD };
}

function withNewNumbers(fields: Fields, message: DescMessage): Fields {
  const enums = message.fields.filter(field => field.enum !== undefined && fields[field.localName] !== undefined);
  return { ...fields, ...Object.fromEntries(enums.map(field => [field.localName, field.fieldKind === 'list' ? (fields[field.localName] as number[]).map(() => NEW_NUMBER) : NEW_NUMBER])) };
}

function encoded(message: Message, fields: unknown): Buffer {
  return Buffer.from(message.encode(fields as never).finish());
}

const CHANGES = [['fields', withNewField], ['enum values', withNewNumbers]] as const;

for (const [name, message, codec, anyValue] of REWRITTEN) {
  for (const [what, change] of CHANGES) {
    test(`${name}: unknown ${what} are read, and written again`, t => {
      fc.assert(fc.property(anyValue, value => {
        const wire = message.decode(encoded(message, codec.toWire(value as never)));
        const newer = encoded(message, changed(wire, descriptor(name), change));
        const again = encoded(message, codec.toWire(codec.fromWire(message.decode(newer) as never)));
        t.deepEqual(message.decode(again), message.decode(newer));
      }), { numRuns: 40 });
    });
  }
}

for (const [name, message, codec, anyValue] of READ) {
  for (const [what, change] of CHANGES) {
    test(`${name}: a message with unknown ${what} is read`, t => {
      fc.assert(fc.property(anyValue, value => {
        const wire = message.decode(encoded(message, codec.toWire(value as never)));
        t.notThrows(() => codec.fromWire(message.decode(encoded(message, changed(wire, descriptor(name), change))) as never));
      }), { numRuns: 40 });
    });
  }
}
