import test from 'ava';
import { resolveUser } from '../../../../agent/runtime/container-user.ts';

const FILES = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\n# note\nweb:x:33:34::/home/web:/bin/sh\n1000:x:7:7::/:/bin/sh\nbad:x:4294967295:0::/:\nnohome:x:44:44\n',
  group: 'root:x:0:\nwww:x:34:\nadm:x:90:root,web\nextra:x:50:web\ndouble:x:50:web\n2000:x:8:\nhuge:x:4294967296:web\n',
};

const resolves = test.macro({
  exec(t, text: string, expected: object) { t.deepEqual(resolveUser(text, FILES), expected as ReturnType<typeof resolveUser>); },
  title: (name = '', text = '') => `user ${JSON.stringify(text)}: ${name}`,
});
test('nothing is root, with root\'s groups', resolves, '', { uid: 0, gid: 0, additionalGids: [90], home: '/root' });
test('a name brings its group and supplementary groups, sorted, each once', resolves, 'web', { uid: 33, gid: 34, additionalGids: [50, 90], home: '/home/web' });
test('a number with a line is that account', resolves, '33', { uid: 33, gid: 34, additionalGids: [50, 90], home: '/home/web' });
test('a number without a line is itself, group 0', resolves, '1234', { uid: 1234, gid: 0, additionalGids: [], home: '/' });
test('a number is never looked up as a name', resolves, '1000', { uid: 1000, gid: 0, additionalGids: [], home: '/' });
test('a given group is the only one', resolves, 'web:adm', { uid: 33, gid: 90, additionalGids: [], home: '/home/web' });
test('a numeric group is never looked up as a name', resolves, 'web:2000', { uid: 33, gid: 2000, additionalGids: [], home: '/home/web' });
test('the largest id', resolves, '2147483647:2147483647', { uid: 2147483647, gid: 2147483647, additionalGids: [], home: '/' });
test('a short line has no home', resolves, 'nohome', { uid: 44, gid: 44, additionalGids: [], home: '/' });

for (const text of ['2147483648', '4294967295', '99999999999999999999', '0:2147483648', 'nobody', 'bad', 'web:nogroup', 'web:huge', 'a:b:c', ':', '0:', ':0', '-1', '+5']) {
  test(`user ${JSON.stringify(text)} is refused`, t => { t.throws(() => resolveUser(text, FILES), { code: 'INVALID_ARGUMENT' }); });
}
test('a number needs no account files', t => { t.is(resolveUser('5', { passwd: '', group: '' }).uid, 5); });
