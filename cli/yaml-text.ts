/**
 * The YAML library, for what loads it only where it needs it. `import()` of the package itself has
 * no named exports in the bundle.
 */
export { parse as parseYaml, stringify as formatYaml } from 'yaml';
