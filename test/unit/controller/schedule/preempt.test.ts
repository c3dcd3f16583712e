import test from 'ava';
import { findRoom } from '../../../../controller/schedule/preempt.ts';
import type { Room } from '../../../../controller/schedule/preempt.ts';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { requestFor } from '../../../../controller/schedule/request.ts';
import type { Service } from '#model/app.ts';
import type { TaskId } from '#model/ids.ts';
import { node, resources, service, snapshot, task, taskId } from '../../../support/builders.ts';
import type { SnapshotOptions } from '../../../support/builders.ts';

const sized = (name: string, milliCpu: number, priority: number): Service => service({ name, placement: { priority }, container: { requests: resources(milliCpu, 1) } });
const small = (name: string): ReturnType<typeof node> => node(name, { capacity: resources(1_000, 100) });

function room(of: Service, state: SnapshotOptions, doomed: readonly TaskId[] = []): Room | undefined {
  const all = snapshot(state);
  const table = new NodeTable(all);
  const found = findRoom(all, table, requestFor(all, table, of), { slot: 0, doomed: new Set(doomed) });
  return found === undefined ? undefined : { row: found.row, victims: found.victims };
}

const urgent = sized('urgent', 600, 10);
const [low, mid, big] = [sized('low', 300, 0), sized('mid', 400, 5), sized('big', 900, 0)];

test('only what has to go goes: the highest priority comes back first', t => {
  const tasks = [task(low, 'n1', { id: taskId('la') }), task(low, 'n1', { id: taskId('lb'), slot: 1 }), task(mid, 'n1', { id: taskId('ma') })];
  t.deepEqual(room(urgent, { nodes: [small('n1')], services: [urgent, low, mid], tasks }), { row: 0, victims: [taskId('la'), taskId('lb')] });
});

test('victims of less priority before fewer victims, fewer before the first node', t => {
  const lows = [task(low, 'n2', { id: taskId('la') }), task(low, 'n2', { id: taskId('lb'), slot: 1 }), task(low, 'n2', { id: taskId('lc'), slot: 2 })];
  const higher = task(sized('mid', 900, 5), 'n1', { id: taskId('ma') });
  t.is(room(urgent, { nodes: [small('n1'), small('n2')], services: [urgent, low, sized('mid', 900, 5)], tasks: [higher, ...lows] })?.row, 1);
  const one = task(big, 'n3', { id: taskId('ba') });
  t.deepEqual(room(urgent, { nodes: [small('n2'), small('n3')], services: [urgent, low, big], tasks: [...lows, one] }), { row: 1, victims: [one.id] });
});

test('nobody goes for nothing: not for what would not fit, nor for equal priority', t => {
  const tasks = [task(low, 'n1', { id: taskId('la') }), task(sized('peer', 700, 10), 'n1', { id: taskId('pa') })];
  t.is(room(urgent, { nodes: [small('n1')], services: [urgent, low, sized('peer', 700, 10)], tasks }), undefined);
  t.is(room(sized('equal', 600, 0), { nodes: [small('n1')], services: [big], tasks: [task(big, 'n1')] }), undefined);
});

test('where enough is stopping already nobody else has to', t => {
  const leaving = task(big, 'n2', { id: taskId('ba'), desired: 'stop' });
  const state = { nodes: [small('n1'), small('n2')], services: [urgent, big], tasks: [task(big, 'n1', { id: taskId('bb') }), leaving] };
  t.deepEqual(room(urgent, state), { row: 1, victims: [] });
  t.deepEqual(room(urgent, { ...state, tasks: [task(big, 'n1', { id: taskId('bb') })], nodes: [small('n1')] }, [taskId('bb')]), { row: 0, victims: [] });
});
