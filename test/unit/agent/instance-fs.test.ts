import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { forgetInstance, InstanceFs } from '../../../agent/instance-fs.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'gantry-instance-'));
test.after.always(() => { rmSync(directory, { recursive: true }); });

let count = 0;
const open = (name: string): InstanceFs => new InstanceFs(path.join(directory, name), () => `nonce-${String(count += 1)}`);

test.serial('each accepted registration is followed by a new nonce, which is on disk before it is presented', async t => {
  await forgetInstance(path.join(directory, 'a'));
  const instance = open('a');
  const first = await instance.present();
  t.is(first.previousNonce, '');
  await instance.accepted('k');
  const second = await instance.present();
  t.is(second.previousNonce, first.nextNonce);
  t.not(second.nextNonce, first.nextNonce);
  t.deepEqual(JSON.parse(readFileSync(path.join(directory, 'a/instance.json'), 'utf8')), second);
});

test.serial('what was not answered is presented again, also by the next process', async t => {
  await forgetInstance(path.join(directory, 'b'));
  const instance = open('b');
  const first = await instance.present();
  t.deepEqual(await instance.present(), first);
  t.deepEqual(await open('b').present(), first);
});

test.serial('a process that starts after an accepted registration presents a new nonce: a copy of its disk knows it no more', async t => {
  await forgetInstance(path.join(directory, 'e'));
  const instance = open('e');
  const first = await instance.present();
  await instance.accepted('k');
  const second = await open('e').present();
  t.is(second.previousNonce, first.nextNonce);
  t.not(second.nextNonce, first.nextNonce);
});

test.serial('the cluster that took a registration is presented from then on, by the next process too; one that does not say which changes nothing', async t => {
  await forgetInstance(path.join(directory, 'f'));
  const instance = open('f');
  t.is((await instance.present()).clusterId, '');
  await instance.accepted('k');
  t.is((await open('f').present()).clusterId, 'k');
  await instance.present();
  await instance.accepted('');
  t.is((await open('f').present()).clusterId, 'k');
});

test.serial('a join makes another instance, of no cluster yet', async t => {
  await forgetInstance(path.join(directory, 'c'));
  await open('c').present();
  await open('c').accepted('k');
  await forgetInstance(path.join(directory, 'c'));
  t.like(await open('c').present(), { previousNonce: '', clusterId: '' });
});

test.serial('where nothing can be written the last nonce is presented again', async t => {
  await forgetInstance(path.join(directory, 'd'));
  const instance = open('d');
  const first = await instance.present();
  await instance.accepted('k');
  rmSync(path.join(directory, 'd'), { recursive: true });
  t.deepEqual(await instance.present(), { previousNonce: first.nextNonce, nextNonce: first.nextNonce, clusterId: 'k' });
});
