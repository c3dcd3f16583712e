import test from 'ava';
import { parseJsonPath } from '../../../cli/json-path.ts';

const DOCUMENT = {
  items: [
    { name: 'n1', state: 'ready', labels: { 'a.b/c': 'x' }, capacity: { milliCpu: 4_000 }, taints: [] },
    { name: 'n2', state: 'lost', labels: {}, capacity: { milliCpu: 8_000 }, lastSeen: null, taints: ['spot'] },
  ],
  name: 'list',
};

const prints = test.macro<[template: string, expected: string]>({
  exec(t, template: string, expected: string) {
    const parsed = parseJsonPath(template);
    t.is('value' in parsed ? parsed.value(DOCUMENT) : parsed.problem, expected);
  },
  title: (_, template) => template,
});
test(prints, '{.items[*].name}', 'n1 n2');
test(prints, '{$.items[*].name}', 'n1 n2');
test(prints, '{.items[0].name} and {.items[-1].name}', 'n1 and n2');
test(prints, '{.items[1:].name}{.items[:1].name}', 'n2n1');
test(prints, '{.items[9].name}{.nope.name}{.items[1].lastSeen}', '');
test(prints, '{range .items[*]}{.name}{"\\t"}{.capacity.milliCpu}{"\\n"}{end}', 'n1\t4000\nn2\t8000\n');
test(prints, '{range .items[*]}{$.name}/{@.name} {end}', 'list/n1 list/n2 ');
test(prints, '{.items[?(@.state=="ready")].name}', 'n1');
test(prints, "{.items[?(@.state != 'ready')].name}", 'n2');
test(prints, '{.items[?(@.capacity.milliCpu>=8000)].name}', 'n2');
test(prints, '{.items[?(@.lastSeen)].name}', '');
test(prints, '{..milliCpu}', '4000 8000');
test(prints, '{.items[0].labels.a\\.b/c}{.items[0].labels["a.b/c"]}', 'xx');
test(prints, '{.items[1].taints}{.items[0].capacity}', '["spot"]{"milliCpu":4000}');
test(prints, '{.constructor}{.items.length}', '');

const refused = test.macro<[template: string, problem: RegExp]>({
  exec(t, template: string, problem: RegExp) {
    const parsed = parseJsonPath(template);
    t.regex('problem' in parsed ? parsed.problem : 'parsed', problem);
  },
  title: (_, template) => `refused: ${JSON.stringify(template)}`,
});
test(refused, '', /has no expression; write one in braces, such as '\{\.items/);
test(refused, '.items[*].name', /has no expression/);
test(refused, '{.items', /a brace '\{' stands alone/);
test(refused, '{items}', /cannot read \{items\}/);
test(refused, '{.items[x]}', /cannot read/);
test(refused, '{.items[?(@.a=b)]}', /cannot read/);
test(refused, '{range .items[*]}{.name}', /\{range\} has no \{end\}/);
test(refused, '{.name}{end}', /\{end\} has no \{range\}/);
