/** Shell completion: the words that may follow, and the scripts that ask for them. */
export interface CompletionCommand {
  readonly name: string;
  readonly flags: readonly string[];
  readonly children: readonly CompletionCommand[];
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type CompletionShell = (typeof SHELLS)[number];

/** Words that may stand where the last of `words` is being typed, sorted; `words` come after the program's name. */
export function completeWords(root: CompletionCommand, words: readonly string[]): readonly string[] {
  const typed = words.at(-1) ?? '';
  let command = root;
  for (const word of words.slice(0, -1)) {
    command = command.children.find(child => child.name === word) ?? command;
  }
  const candidates = typed.startsWith('-') ? [...command.flags, ...root.flags] : command.children.map(child => child.name);
  return [...new Set(candidates)].filter(candidate => candidate.startsWith(typed)).toSorted();
}

/** A script for the shell's start-up file; it asks `clusterctl completion words -- ...` at each tab. */
export function completionScript(shell: CompletionShell): string {
  return SCRIPTS[shell];
}

const SCRIPTS: Readonly<Record<CompletionShell, string>> = {
  bash: `_clusterctl() {
  mapfile -t COMPREPLY < <("\${COMP_WORDS[0]}" completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _clusterctl clusterctl gantry
`,
  zsh: `#compdef clusterctl gantry
_clusterctl() {
  local -a found
  found=("\${(@f)$("\${words[1]}" completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a found || _files
}
compdef _clusterctl clusterctl gantry
`,
  fish: `function __clusterctl
  set -l words (commandline -opc) (commandline -ct)
  $words[1] completion words -- $words[2..-1] 2>/dev/null
end
complete -c clusterctl -a '(__clusterctl)'
complete -c gantry -a '(__clusterctl)'
`,
};
