/** How far the end of an output without a failed test is told, in characters: why there was no TAP. */
const KEPT = 4_000;

/**
 * What failed in the TAP of another ava: first the titles, then each failed test with the lines that follow it. Without a failed test the end of the
 * output, which says why there is none. Source: testanything.org, TAP 13: a test's diagnostics follow its line, indented or after `#`
 */
export function failedTests(output: string): string {
  const blocks: string[][] = [];
  let isFailing = false;
  for (const line of output.split('\n')) {
    if (/^(?:not )?ok /.test(line)) {
      isFailing = line.startsWith('not ok');
      if (isFailing) blocks.push([]);
    }
    if (isFailing) blocks.at(-1)?.push(line);
  }
  if (blocks.length === 0) {
    return `no failed test; the output ends with:\n${output.slice(-KEPT)}`;
  }
  return [...blocks.map(([title = '']) => title), '', ...blocks.flat()].join('\n');
}
