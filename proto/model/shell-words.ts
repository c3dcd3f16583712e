/** Text split into words as a POSIX shell would, without running one. */
import type { Parsed } from './quantity.ts';

/** Source: POSIX.1-2024, Shell Command Language, 2.2 Quoting. */
export function splitShellWords(text: string): Parsed<readonly string[]> {
  const words: string[] = [];
  let rest = text.trimStart();
  while (rest !== '') {
    const word = takeWord(rest);
    if ('problem' in word) {
      return word;
    }
    words.push(word.value.text);
    rest = word.value.rest.trimStart();
  }
  return { value: words };
}

const PIECE = /^(?:'(?<single>[^']*)'|"(?<double>(?:[^"\\]|\\[\s\S])*)"|\\(?<escaped>[\s\S])|(?<plain>[^\s'"\\]+))/;

function takeWord(text: string): Parsed<{ readonly text: string; readonly rest: string }> {
  let word = '';
  let rest = text;
  while (rest !== '' && !/^\s/.test(rest)) {
    const match = PIECE.exec(rest);
    if (match === null) {
      return { problem: rest.startsWith('\\') ? 'ends in a lone backslash' : `has a quote that is never closed: ${rest.slice(0, 1)}` };
    }
    const groups = match.groups ?? {};
    word += groups['single'] ?? groups['double']?.replace(/\\(["\\$`])/g, '$1') ?? groups['escaped'] ?? groups['plain'] ?? '';
    rest = rest.slice(match[0].length);
  }
  return { value: { text: word, rest } };
}
