/** Find text that breaks the rules of language in CONTRIBUTING.md: phrases, line lengths, headings, help texts. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { buildProgram } from '../../cli/clusterctl.ts';

export interface Finding {
  readonly rule: RuleName;
  /** Top-level folder, or `.` for files of the root. */
  readonly area: string;
  /** `FILE:LINE: TEXT`. */
  readonly place: string;
}

export type RuleName = 'phrase' | 'comment-columns' | 'code-columns' | 'prose-columns' | 'heading' | 'help';

const ROOT = path.resolve(import.meta.dirname, '../..');
const AREAS = ['agent', 'cli', 'controller', 'deploy', 'docs', 'proto', 'test'];
const GENERATED = /^proto\/gen\/|^docs\/(?:cli|manifest)\.md$|\/node_modules\//;
/** This file names the phrases that it searches for. */
const SELF = 'test/architecture/language-rules.ts';
const COMMENT_COLUMNS = 100;
const CODE_COLUMNS = 120;
const PROSE_COLUMNS = 120;

/** Words of a private language; the glossary has the standard term of each. */
const PHRASES: readonly RegExp[] = [
  /\b(?:nobody|whoever|somebody|anybody)\b/i, /\b(?:goes|went|going) on\b/i, /\b(?:is|are|was|were|being) told\b/i, /\btells\b/i,
  /\btaken for\b/i, /\bby itself\b/i, /\bheart ?beats? (?:are|is) due\b/i, /\b(?:takes|taken|took) away\b/i, /\bturn of the event loop\b/i,
  /\bled back\b/i, /\b(?:doorbell|crew|paper cluster)\b/i, /\bstands still\b/i, /\bwho cannot look\b/i, /\bleads? requests\b/i,
  /^(?:\/\*\*|\*|\/\/|-)? ?(?:Of|Whom|Who|Whose) /,
];

const HEADING = /^#+ (?:What|Who|Whom|Where|Of|Why)\b/;

export function languageFindings(): readonly Finding[] {
  return [...sourceFiles().flatMap(fileFindings), ...helpFindings()];
}

function sourceFiles(): readonly string[] {
  const below = AREAS.flatMap(area => readdirSync(path.join(ROOT, area), { recursive: true, encoding: 'utf8' }).map(name => path.join(area, name)));
  const own = readdirSync(ROOT).filter(name => name.endsWith('.md'));
  return [...own, ...below].filter(file => /\.(?:ts|md)$/.test(file) && !GENERATED.test(file) && file !== SELF).toSorted();
}

function fileFindings(file: string): readonly Finding[] {
  const lines = readFileSync(path.join(ROOT, file), 'utf8').split('\n');
  const check = file.endsWith('.md') ? proseRules(lines) : codeRules(lines);
  return check.map(({ rule, line }) => ({ rule, area: areaOf(file), place: `${file}:${String(line + 1)}: ${lines[line]?.trim() ?? ''}` }));
}

function areaOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : '.';
}

interface Hit { readonly rule: RuleName; readonly line: number }

/** Rules of Markdown; code blocks and tables may be wider. */
function proseRules(lines: readonly string[]): readonly Hit[] {
  let isCode = false;
  return lines.flatMap((text, line) => {
    if (text.startsWith('```')) {
      isCode = !isCode;
    }
    return [
      ...(hasPhrase(text) ? [{ rule: 'phrase' as const, line }] : []),
      ...(HEADING.test(text) ? [{ rule: 'heading' as const, line }] : []),
      ...(!isCode && !text.startsWith('|') && text.length > PROSE_COLUMNS ? [{ rule: 'prose-columns' as const, line }] : []),
    ];
  });
}

function codeRules(lines: readonly string[]): readonly Hit[] {
  return lines.flatMap((text, line) => {
    const comment = commentOf(text);
    const isComment = comment !== undefined && /^\s*(?:\/\*\*?|\*|\/\/)/.test(text);
    return [
      ...(comment !== undefined && hasPhrase(comment) ? [{ rule: 'phrase' as const, line }] : []),
      ...(isComment && text.length > COMMENT_COLUMNS ? [{ rule: 'comment-columns' as const, line }] : []),
      ...(!isComment && text.length > CODE_COLUMNS ? [{ rule: 'code-columns' as const, line }] : []),
    ];
  });
}

/** Text of a comment on this line; undefined if the line has none. */
function commentOf(text: string): string | undefined {
  return /^\s*((?:\/\*\*?|\*|\/\/) ?.*)$/.exec(text)?.[1] ?? /\s(\/\/ .*)$/.exec(text)?.[1];
}

function hasPhrase(text: string): boolean {
  return PHRASES.some(phrase => phrase.test(text.trim()));
}

/** Help of verbs and flags starts with a capital letter and has no full stop at its end. */
function helpFindings(): readonly Finding[] {
  const all = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(all)];
  const texts = all(buildProgram(() => Promise.resolve())).slice(1).flatMap(command => [
    { name: command.name(), text: command.description() },
    ...command.options.filter(option => !option.hidden).map(({ flags, description }) => ({ name: `${command.name()} ${flags}`, text: description })),
  ]);
  return texts.filter(({ text }) => !/^[A-Z]/.test(text) || text.endsWith('.'))
    .map(({ name, text }) => ({ rule: 'help', area: 'cli', place: `${name}: ${text}` }));
}
