/** Shell completion: the words that may follow, and the scripts that ask for them; what is said of a command that is none. */
import { nearestWord } from '#model/nearest-word.ts';
import { quoted } from '#model/printable.ts';
import { namespaceFlag, wordHere, wordInGroup } from './foreign-words.ts';

export interface CompletionCommand {
  readonly name: string;
  readonly flags: readonly string[];
  readonly children: readonly CompletionCommand[];
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type CompletionShell = (typeof SHELLS)[number];

/** The commands that `words` name, from the root on; what names none is an argument or a flag. */
export function commandPath(root: CompletionCommand, words: readonly string[]): readonly [CompletionCommand, ...CompletionCommand[]] {
  const path: [CompletionCommand, ...CompletionCommand[]] = [root];
  for (const word of words) {
    const next = path.at(-1)?.children.find(child => child.name === word);
    path.push(...(next === undefined ? [] : [next]));
  }
  return path;
}

const PROGRAM = 'clusterctl';

/**
 * A word where only a command may stand.
 * @param given  words of the call, of which those behind `word` may make the command clear
 */
export function explainUnknown(parent: CompletionCommand, word: string, given: readonly string[] = [word]): string {
  const names = parent.children.map(child => child.name).filter(name => name !== 'help');
  const behind = given.slice(given.indexOf(word) + 1).filter(one => !one.startsWith('-'));
  const group = parent.name.startsWith(`${PROGRAM} `) ? parent.name.slice(PROGRAM.length + 1) : parent.name;
  const here = parent.name === PROGRAM ? wordHere(word, ...behind) : wordInGroup(group, word, names);
  const near = nearestWord(word, names);
  const hint = here !== undefined ? `here it is: ${PROGRAM} ${here}${namespaceFlag(here, given)}` : near === undefined ? listCommands(parent) : `did you mean '${near}'?`;
  return `unknown command ${quoted(word)}; ${hint}`;
}

/** More are not listed in one line. */
const MAX_LISTED = 16;

/** `rollout has abort, history, ...`, or where to find them. */
export function listCommands({ name, children }: CompletionCommand): string {
  const names = children.map(child => child.name).filter(one => one !== 'help').toSorted();
  return names.length > MAX_LISTED ? `see ${name} --help` : `${name} has ${names.join(', ')}`;
}

/** Words that may stand where the last of `words` is being typed, sorted; `words` come after the program's name. */
export function completeWords(root: CompletionCommand, words: readonly string[]): readonly string[] {
  const typed = words.at(-1) ?? '';
  const command = commandPath(root, words.slice(0, -1)).at(-1) ?? root;
  const candidates = typed.startsWith('-') ? [...command.flags, ...root.flags] : command.children.map(child => child.name);
  return [...new Set(candidates)].filter(candidate => candidate.startsWith(typed)).toSorted();
}

/** A script for the shell's start-up file; it asks `clusterctl completion words -- ...` at each tab. */
export function completionScript(shell: CompletionShell): string {
  return SCRIPTS[shell];
}

const SCRIPTS: Readonly<Record<CompletionShell, string>> = {
  bash: `_clusterctl() {
  mapfile -t COMPREPLY < <("\${COMP_WORDS[0]}" --timeout 3s completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _clusterctl clusterctl gantry
`,
  zsh: `#compdef clusterctl gantry
_clusterctl() {
  local -a found
  found=("\${(@f)$("\${words[1]}" --timeout 3s completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a found || _files
}
compdef _clusterctl clusterctl gantry
`,
  fish: `function __clusterctl
  set -l words (commandline -opc) (commandline -ct)
  $words[1] --timeout 3s completion words -- $words[2..-1] 2>/dev/null
end
complete -c clusterctl -a '(__clusterctl)'
complete -c gantry -a '(__clusterctl)'
`,
};
