/** Lines of one nft set and the empty line after it; `clauses` come between its type and its elements. */
export function set(name: string, type: string, elements: readonly string[], ...clauses: readonly string[]): string[] {
  return [
    `set ${name} {`,
    `  type ${type}`,
    ...clauses.map(clause => `  ${clause}`),
    ...(elements.length === 0 ? [] : [`  elements = { ${elements.join(', ')} }`]),
    '}',
    '',
  ];
}
