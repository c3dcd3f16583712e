import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import { shortageText, unlessShort } from '../../../agent/shortage.ts';

const failed = (message: string, code: string, cause?: Error): Error => Object.assign(new Error(message, { cause }), { code });

const tells = test.macro({
  exec(t, error: unknown, expected: string | undefined) { t.is(shortageText(error), expected); },
  title: (name = '') => `shortageText: ${name}`,
});

test('descriptors of the agent', tells, failed('EMFILE: too many open files, open x', 'EMFILE'), 'the agent has no more open files: EMFILE: too many open files, open x');
test('a cause of a cause', tells, new Error('a', { cause: new Error('b', { cause: failed('mmap: ENOMEM', 'ENOMEM') }) }), 'the machine has no more memory: mmap: ENOMEM');
test('a program that cannot be started', tells, failed('posix_spawn /usr/bin/conmon: EAGAIN', 'EAGAIN'), 'the machine has no more processes: posix_spawn /usr/bin/conmon: EAGAIN');
test('a thread that cannot be started', tells, failed('EAGAIN', 'ERR_WORKER_INIT_FAILED'), 'the machine has no more processes: EAGAIN');
test('one of several undo steps', tells, new AggregateError([new Error('undo a'), new Error('undo b', { cause: failed('spawn ip EAGAIN', 'EAGAIN') })]), 'the machine has no more processes: spawn ip EAGAIN');
test('what the node counts itself, in its own words', tells, new Error('a', { cause: new ClusterError('RESOURCE_EXHAUSTED', 'no free address') }), 'no free address');
test('another refusal is none', tells, new ClusterError('FAILED_PRECONDITION', 'no such cpu'), undefined);
test('a read that would block is none', tells, failed('read EAGAIN', 'EAGAIN'), undefined);
test('any other error', tells, failed('ENOENT: x', 'ENOENT'), undefined);
test('no error at all', tells, 'EMFILE', undefined);

test('who cannot look for a shortage knows nothing; any other failure is told', t => {
  const throwing = (error: Error) => (): string => { throw error; };
  t.is(unlessShort(() => 'found', 'nothing'), 'found');
  t.is(unlessShort(throwing(failed('EMFILE: open x', 'EMFILE')), 'nothing'), 'nothing');
  t.throws(() => unlessShort(throwing(failed('EIO: read', 'EIO')), 'nothing'), { message: 'EIO: read' });
});
