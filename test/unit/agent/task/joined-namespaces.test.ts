import test from 'ava';
import type { CompanionSpec, SecuritySpec } from '#model/service.ts';
import { joinedNamespaces } from '../../../../agent/task/joined-namespaces.ts';
import { newRecord } from '../../../../agent/task/record.ts';
import type { CompanionRecord, TaskRecord } from '../../../../agent/task/record.ts';
import { container, service, task } from '../../../support/builders.ts';

const joins = (...pairs: readonly ['pid' | 'ipc' | 'uts' | 'cgroup', string][]): { readonly security: SecuritySpec } =>
  ({ security: { ...container().security, ...(pairs.length === 0 ? {} : { sidecarNamespaces: pairs.map(([namespace, sidecar]) => ({ namespace, sidecar })) }) } });
const processes = (pid: number) => ({ container: { pid, startTicks: 1 }, monitor: { pid: pid + 1, startTicks: 1 } });
const IDLE: CompanionRecord = { step: 'idle', run: 0, recent: [], notBeforeMs: 0, isDone: false };
const RUNNING = (pid: number): CompanionRecord => ({ ...IDLE, step: 'running', run: 1, container: processes(pid) });
const sidecar = (name: string, change = joins()): CompanionSpec => ({ name, role: 'sidecar', container: container(change) });

/** Main with `main`, sidecars `a` and `b`. */
function record(main: ReturnType<typeof joins>, b: ReturnType<typeof joins>, rest: Partial<TaskRecord>): TaskRecord {
  const made = task(service(), 'n1', { container: container(main), companions: [sidecar('a'), sidecar('b', b)] });
  return { ...newRecord(made, 1, 'boot'), step: 'building', ...rest };
}

test('the main container joins the sidecars that it names, each by its kind', t => {
  const built = record(joins(['pid', 'a'], ['ipc', 'b']), joins(), { companions: [RUNNING(10), RUNNING(20)] });
  t.deepEqual(joinedNamespaces(built, undefined), { pid: { pid: 10, startTicks: 1 }, ipc: { pid: 20, startTicks: 1 } });
});
test('who names nobody and is named by nobody joins nobody', t => {
  t.deepEqual(joinedNamespaces(record(joins(), joins(), { companions: [RUNNING(10), RUNNING(20)] }), undefined), {});
  t.deepEqual(joinedNamespaces(record(joins(['pid', 'a']), joins(), { companions: [RUNNING(10), IDLE] }), 1), {});
});
test('the named sidecar that starts first makes a namespace of its own', t => {
  t.deepEqual(joinedNamespaces(record(joins(['ipc', 'a']), joins(['ipc', 'a']), { companions: [IDLE, IDLE] }), 0), {});
});
test('the named sidecar that starts anew joins who is still in the namespace', t => {
  const running = record(joins(['ipc', 'a']), joins(), { step: 'running', container: processes(30), companions: [IDLE, RUNNING(20)] });
  t.deepEqual(joinedNamespaces(running, 0), { ipc: { pid: 30, startTicks: 1 } });
});
test('another container that names the same sidecar stands in for it', t => {
  const built = record(joins(['uts', 'a']), joins(['uts', 'a']), { companions: [{ ...IDLE, run: 1 }, RUNNING(20)] });
  t.deepEqual(joinedNamespaces(built, undefined), { uts: { pid: 20, startTicks: 1 } });
});
test('a named sidecar that does not run, with nobody in its place, is an error with the field', t => {
  t.throws(() => joinedNamespaces(record(joins(['pid', 'a']), joins(), { companions: [IDLE, IDLE] }), undefined), { instanceOf: RangeError, message: /security\.pid: sidecar a does not run/ });
});
