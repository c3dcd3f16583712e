import test from 'ava';
import { choosePlatform, formatPlatform } from '../../../../agent/image/platform.ts';
import type { Platform } from '../../../../agent/image/platform.ts';

/** `linux/arm/v7`; a dash stands for an entry that names no platform. */
function platform(text: string): Platform {
  const [os = '', architecture = '', variant = ''] = text.split('/');
  return { os, architecture, ...(variant === '' ? {} : { variant }) };
}

const chooses = test.macro({
  exec(t, node: string, offered: readonly string[], expected: number) {
    const entries = offered.map((text, index) => ({ index, ...(text === '-' ? {} : { platform: platform(text) }) }));
    t.is(choosePlatform(entries, platform(node)).index, expected);
  },
  title: (name = '', node: string, offered: readonly string[]) => `${node} of ${offered.join(', ')}: ${name}`,
});
test('the architecture', chooses, 'linux/amd64', ['linux/arm64', 'linux/amd64'], 1);
test('the system', chooses, 'linux/amd64', ['windows/amd64', 'linux/amd64'], 1);
test('the first of two that are the same', chooses, 'linux/amd64', ['linux/amd64', 'linux/amd64'], 0);
test('what every amd64 runs', chooses, 'linux/amd64', ['linux/amd64/v3', 'linux/amd64/v2', 'linux/amd64'], 2);
test('v1 is the usual one', chooses, 'linux/amd64', ['linux/amd64/v3', 'linux/amd64/v1'], 1);
test('the highest below its own', chooses, 'linux/amd64/v3', ['linux/amd64', 'linux/amd64/v4', 'linux/amd64/v2'], 2);
test('its own', chooses, 'linux/amd64/v3', ['linux/amd64/v2', 'linux/amd64/v3'], 1);
test('v8 is the usual one', chooses, 'linux/arm64', ['linux/arm/v7', 'linux/arm64/v8'], 1);
test('v9 is not for all', chooses, 'linux/arm64', ['linux/arm64/v9', 'linux/arm64'], 1);
test('v7 is the usual one', chooses, 'linux/arm', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v7'], 2);
test('v6 before v5', chooses, 'linux/arm/v6', ['linux/arm/v5', 'linux/arm/v7', 'linux/arm/v6'], 2);
test('a lower one where its own is not there', chooses, 'linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6'], 1);
test('a variant without its letter', chooses, 'linux/arm/v7', ['linux/arm/6', 'linux/arm/7'], 1);
test('other words for it', chooses, 'linux/arm64', ['linux/x86_64', 'linux/aarch64'], 1);
test('capitals', chooses, 'linux/amd64', ['Linux/AMD64'], 0);
test('one without a platform', chooses, 'linux/amd64', ['linux/arm64', '-'], 1);
test('one with its platform before one without', chooses, 'linux/amd64', ['-', 'linux/amd64'], 1);
test('an attestation is nobody\'s', chooses, 'linux/amd64', ['unknown/unknown', 'linux/amd64'], 1);

const refuses = test.macro({
  exec(t, node: string, offered: readonly string[], message: string) {
    t.throws(() => choosePlatform(offered.map(text => ({ platform: platform(text) })), platform(node)), { code: 'FAILED_PRECONDITION', message });
  },
  title: (name = '', node: string) => `${node}, refused: ${name}`,
});
test('names those there are', refuses, 'linux/amd64', ['linux/arm64', 'linux/arm/v7'], "the image has no linux/amd64 variant, only 'linux/arm64, linux/arm/v7'");
test('a higher variant is none', refuses, 'linux/arm/v6', ['linux/arm/v7'], "the image has no linux/arm/v6 variant, only 'linux/arm/v7'");
test('a variant that is no number is none', refuses, 'linux/arm/v6', ['linux/arm/soft'], "the image has no linux/arm/v6 variant, only 'linux/arm/soft'");
test('an empty index', refuses, 'linux/amd64', [], "the image has no linux/amd64 variant, only ''");

test('a platform is written as docker writes it', t => {
  t.deepEqual(['linux/amd64', 'linux/arm/v7'].map(text => formatPlatform(platform(text))), ['linux/amd64', 'linux/arm/v7']);
});
