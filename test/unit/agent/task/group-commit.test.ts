import test from 'ava';
import { GroupCommit } from '../../../../agent/task/group-commit-flow.ts';

function rig(): { readonly group: GroupCommit<number>; readonly commits: { readonly items: readonly number[]; readonly end: PromiseWithResolvers<undefined> }[] } {
  const commits: { readonly items: readonly number[]; readonly end: PromiseWithResolvers<undefined> }[] = [];
  const group = new GroupCommit<number>(async items => {
    const end = Promise.withResolvers<undefined>();
    commits.push({ items, end });
    await end.promise;
  });
  return { group, commits };
}

const soon = async (): Promise<void> => { await new Promise(resolve => { setImmediate(resolve); }); };

test('what comes while one commit is at work goes with the next, in its order', async t => {
  const { group, commits } = rig();
  const added = [group.add(1), group.add(2)];
  await soon();
  added.push(group.add(3), group.add(4));
  await soon();
  t.deepEqual(commits.map(({ items }) => items), [[1, 2]]);
  commits[0]?.end.resolve(undefined);
  await Promise.all(added.slice(0, 2));
  await soon();
  t.deepEqual(commits.map(({ items }) => items), [[1, 2], [3, 4]]);
  commits[1]?.end.resolve(undefined);
  await Promise.all(added);
});

test('a commit that fails is told to those in it, and the next one is made', async t => {
  const { group, commits } = rig();
  const [first, second] = [group.add(1), group.add(2)];
  await soon();
  const third = group.add(3);
  commits[0]?.end.reject(new Error('no space'));
  await t.throwsAsync(first, { message: 'no space' });
  await t.throwsAsync(second, { message: 'no space' });
  await soon();
  t.deepEqual(commits[1]?.items, [3]);
  commits[1]?.end.resolve(undefined);
  await t.notThrowsAsync(third);
});
