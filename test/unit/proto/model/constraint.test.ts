import test from 'ava';
import { formatPlacementRule, matches, parsePlacementRule } from '#model/constraint.ts';
import type { PlacementRule } from '#model/service.ts';

const parses = test.macro({
  exec(t, text: string, rule: PlacementRule) {
    t.deepEqual(parsePlacementRule(text), { kind: 'rule', rule });
    t.deepEqual(parsePlacementRule(formatPlacementRule(rule)), { kind: 'rule', rule });
  },
  title: (_, text) => `parsePlacementRule reads ${JSON.stringify(text)}`,
});
test(parses, 'tier == web', { label: 'tier', operator: '==', values: ['web'] });
test(parses, '  tier!=web ', { label: 'tier', operator: '!=', values: ['web'] });
test(parses, 'arch in (amd64, arm64)', { label: 'arch', operator: 'in', values: ['amd64', 'arm64'] });
test(parses, 'arch in(amd64)', { label: 'arch', operator: 'in', values: ['amd64'] });
test(parses, 'zone not-in (a)', { label: 'zone', operator: 'not-in', values: ['a'] });
test(parses, 'example.com/gpu exists', { label: 'example.com/gpu', operator: 'exists', values: [] });
test(parses, 'gpu not-exists', { label: 'gpu', operator: 'not-exists', values: [] });
test(parses, 'disks > 2', { label: 'disks', operator: '>', values: ['2'] });
test(parses, 'load < -0.5', { label: 'load', operator: '<', values: ['-0.5'] });

const refuses = test.macro({
  exec(t, text: string, offset: number, message: string) {
    t.deepEqual(parsePlacementRule(text), { kind: 'error', offset, message });
  },
  title: (_, text) => `parsePlacementRule refuses ${JSON.stringify(text)}`,
});
test(refuses, 'tier ~~ web', 5, "cannot parse at '~~'; use ==, !=, in, not-in, exists, not-exists, >, <");
test(refuses, 'tier inside (a)', 5, "cannot parse at 'inside'; use ==, !=, in, not-in, exists, not-exists, >, <");
test(refuses, 'tier', 4, 'cannot parse at the end; use ==, !=, in, not-in, exists, not-exists, >, <');
test(refuses, '', 0, 'cannot parse at the end; expected a label, as in "zone == a"');
test(refuses, '== web', 0, 'cannot parse at \'==\'; expected a label, as in "zone == a"');
test(refuses, 'tier ==', 7, 'cannot parse at the end; expected a value');
test(refuses, 'tier == web db', 12, "cannot parse at 'db'; expected the end of the rule");
test(refuses, 'arch in amd64', 8, 'cannot parse at \'amd64\'; expected a list, as in "(a, b)"');
test(refuses, 'arch in (a b)', 11, "cannot parse at 'b)'; expected , or )");
test(refuses, 'arch in ()', 9, "cannot parse at ')'; expected a value");
test(refuses, 'arch in (a', 10, 'cannot parse at the end; expected , or )');
test(refuses, 'disks > many', 8, "cannot parse at 'many'; expected a number");

const LABELS = new Map([['zone', 'a'], ['disks', '10'], ['name', 'x']]);
const decides = test.macro({
  exec(t, text: string, expected: boolean) {
    const parsed = parsePlacementRule(text);
    t.is(parsed.kind === 'rule' && matches(parsed.rule, LABELS), expected);
  },
  title: (_, text: string, expected: boolean) => `zone=a disks=10 name=x ${expected ? 'satisfies' : 'breaks'} ${text}`,
});
test(decides, 'zone == a', true);
test(decides, 'zone == b', false);
test(decides, 'rack == a', false);
test(decides, 'zone != a', false);
test(decides, 'zone != b', true);
test(decides, 'rack != a', true);
test(decides, 'zone in (b, a)', true);
test(decides, 'rack in (b, a)', false);
test(decides, 'zone not-in (b, a)', false);
test(decides, 'rack not-in (b, a)', true);
test(decides, 'zone exists', true);
test(decides, 'rack exists', false);
test(decides, 'zone not-exists', false);
test(decides, 'rack not-exists', true);
test(decides, 'disks > 9', true);
test(decides, 'disks > 10', false);
test(decides, 'disks < 11', true);
test(decides, 'disks < 10', false);
test(decides, 'name > 1', false);
test(decides, 'rack < 1', false);
