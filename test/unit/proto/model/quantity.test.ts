import test from 'ava';
import { formatCpu, formatDuration, formatMemory, parseCpu, parseDuration, parseMemory, parsePercent } from '#model/quantity.ts';
import type { Parsed } from '#model/quantity.ts';

const reads = test.macro({
  exec(t, parse: (text: string) => Parsed<number>, text: string, value: number) { t.deepEqual(parse(text), { value }); },
  title: (_, parse: (text: string) => Parsed<number>, text: string) => `${parse.name} reads ${text}`,
});
test(reads, parseMemory, '1048576', 1_048_576);
test(reads, parseMemory, '64Mi', 67_108_864);
test(reads, parseMemory, '1.5Gi', 1_610_612_736);
test(reads, parseMemory, '999Ti', 999 * 2 ** 40);
test(reads, parseMemory, '0', 0);
test(reads, parseCpu, '0.5', 500);
test(reads, parseCpu, '500m', 500);
test(reads, parseCpu, '2', 2000);
test(reads, parseCpu, '0.001', 1);
test(reads, parseCpu, '1.005', 1005);
test(reads, parseDuration, '0s', 0);
test(reads, parseDuration, '500ms', 500);
test(reads, parseDuration, '1m30s', 90_000);
test(reads, parseDuration, '1.5h', 5_400_000);
test(reads, parseDuration, '7d', 604_800_000);
test(reads, parsePercent, '60%', 60);
test(reads, parsePercent, '100.0%', 100);

const refuses = test.macro({
  exec(t, parse: (text: string) => Parsed<number>, text: string, problem: RegExp) {
    const parsed = parse(text);
    t.regex('problem' in parsed ? parsed.problem : `accepted as ${String(parsed.value)}`, problem);
  },
  title: (_, parse: (text: string) => Parsed<number>, text: string) => `${parse.name} refuses ${text}`,
});
test(refuses, parseMemory, '64M', /64Mi \(67108864 bytes, as in Compose\) or 64000000 bytes \(as in Kubernetes\)/);
test(refuses, parseMemory, '64k', /two readings/);
test(refuses, parseMemory, '64mb', /unknown unit 'mb'; use Ki, Mi, Gi, Ti or plain bytes/);
test(refuses, parseMemory, '64constructor', /unknown unit/);
test(refuses, parseMemory, '-1Gi', /must be > 0/);
test(refuses, parseMemory, '0.3', /whole number of bytes/);
test(refuses, parseMemory, '99999999Ti', /2\^53/);
test(refuses, parseMemory, '', /not an amount of memory/);
test(refuses, parseCpu, '-0.5', /must be > 0/);
test(refuses, parseCpu, '0.0001', /thousandths/);
test(refuses, parseCpu, 'all', /not a number of cpus/);
test(refuses, parseDuration, '10', /has no unit; write 10s/);
test(refuses, parseDuration, '-1s', /negative/);
test(refuses, parseDuration, '1w', /not a duration/);
test(refuses, parseDuration, '0.1ms', /whole number of milliseconds/);
test(refuses, parsePercent, '60', /write 60%/);
test(refuses, parsePercent, '0.5%', /whole number of percents/);

const shows = test.macro({
  exec(t, format: (value: number) => string, value: number, text: string) { t.is(format(value), text); },
  title: (_, format: (value: number) => string, value) => `${format.name} of ${String(value)}`,
});
test(shows, formatMemory, 268_435_456, '256Mi');
test(shows, formatMemory, 1_610_612_736, '1.5Gi');
test(shows, formatMemory, 1023, '1023');
test(shows, formatCpu, 500, '500m');
test(shows, formatCpu, 1500, '1.5');
test(shows, formatDuration, 90_500, '1m30s500ms');
test(shows, formatDuration, 0, '0s');
