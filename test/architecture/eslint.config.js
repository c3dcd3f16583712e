/** Lint: typescript-eslint's strictest rules, the length limits, and the rule that a file without an effect suffix is pure. */
import path from 'node:path';
import tseslint from 'typescript-eslint';

const root = path.resolve(import.meta.dirname, '../..');
const EFFECT_FILES = [
  '**/*-{api,loop,flow,store,client,server,fs,process,socket,syscall,tty,worker}.ts',
  '{controller,agent,cli}/{main,config,controller,agent,clusterctl,metrics}.ts', 'cli/{verb-table,*-verbs}.ts',
  '**/ports.ts',
];

export default tseslint.config(
  { ignores: ['node_modules/**', 'dist/**', 'proto/gen/**', 'test/architecture/**', 'deploy/**/*.js', '**/*.mjs', '**/*.cjs'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: path.join(root, 'tsconfig.json'), tsconfigRootDir: root } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true, named: true } }],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 4],
      'max-depth': ['error', 3],
      complexity: ['error', 12],
    },
  },
  {
    files: ['{controller,agent,cli}/**/*.ts', 'proto/{model,codec}/**/*.ts'],
    ignores: EFFECT_FILES,
    rules: {
      'no-restricted-globals': ['error', 'process', 'fetch', 'console', 'setTimeout', 'setInterval', 'setImmediate', 'performance'],
      'no-restricted-properties': ['error',
        { object: 'Date', property: 'now' }, { object: 'Math', property: 'random' }, { object: 'crypto', property: 'randomUUID' }],
      'no-restricted-syntax': ['error',
        { selector: ':function[async=true], AwaitExpression', message: 'A decision is synchronous; name the file for its effect.' },
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Take the time as a parameter.' }],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: { 'max-params': 'off', 'max-lines-per-function': 'off', '@typescript-eslint/no-non-null-assertion': 'off' },
  },
);
