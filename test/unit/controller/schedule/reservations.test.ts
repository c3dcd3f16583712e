import test from 'ava';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { Reservations } from '../../../../controller/schedule/reservations.ts';
import { parseNodeId } from '#model/ids.ts';
import { node, resources, service, serviceStatus, snapshot } from '../../../support/builders.ts';

test('room is held against all others of the same or less priority', t => {
  const urgent = service({ name: 'urgent', placement: { priority: 5 }, container: { requests: resources(600, 1) } });
  const state = snapshot({
    nodes: [node('n1', { capacity: resources(1_000, 100) })], services: [urgent],
    serviceStatuses: [serviceStatus(urgent, { pending: [{ slot: 0, reason: '', node: parseNodeId('n1') }, { slot: 1, reason: '', node: parseNodeId('gone') }] })],
  });
  const table = new NodeTable(state);
  const reservations = new Reservations(table);
  const freeFor = (of: ReturnType<typeof service>): number => {
    reservations.turnTo(of);
    return table.free(0).milliCpu;
  };
  t.is(freeFor(service()), 400);
  t.is(freeFor(urgent), 1_000);
  t.is(freeFor(service({ placement: { priority: 5 } })), 400);
  t.is(freeFor(service({ placement: { priority: 6 } })), 1_000);
});
