import nx from '@nx/eslint-plugin'
import prettier from 'eslint-config-prettier'
import { createNodeResolver, importX } from 'eslint-plugin-import-x'
import tseslint from 'typescript-eslint'
import { boundaries } from './tools/lint/boundaries.js'
import { noAmbientTime, noNodeBuiltins, noProcess } from './tools/lint/purity.js'

/** Libs that decide and never act: they see no clock, no chance, no system. */
const PURE = [
  'libs/domain/**/*.ts',
  'libs/engines/devices/**/*.ts',
  'libs/engines/drivers/**/*.ts',
  'libs/engines/sim-text/**/*.ts',
]
/** Libs that act, through ports: only `runtime` implements them on the real clock and process. */
const THROUGH_PORTS = ['libs/platform/**/*.ts', 'libs/services/**/*.ts', 'libs/sim/**/*.ts']
const SPECS = ['**/*.spec.ts', '**/*.prop.spec.ts', 'tests/**/*.ts']
/** `runtime` implements the ports; grpc-js takes deadlines as wall times, so `rpc` reads the clock. */
const REAL_TIME = ['libs/platform/runtime/**', 'libs/platform/rpc/**']
/** Test doubles and rigs: real microtasks, real deadlines. */
const TESTING = ['**/testing/**']
const CONFIG_FILES = ['**/*.config.{js,cjs}', '**/*.preset.cjs', 'tools/lint/*.js']

export default tseslint.config(
  {
    ignores: ['dist/', '.berth/', '.nx/', 'node_modules/', 'coverage/', '**/gen/'],
  },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, prettier],
    plugins: { '@nx': nx, 'import-x': importX },
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    settings: {
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.js', '.json'] })],
      'import-x/external-module-folders': ['node_modules'],
    },
    rules: {
      '@nx/enforce-module-boundaries': boundaries(),
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'import-x/no-default-export': 'error',
      'max-params': ['error', 4],
      'max-lines-per-function': ['error', { max: 70, IIFEs: true }],
      eqeqeq: ['error', 'always'],
      'no-console': 'error',
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // `return response.end()` ends an edge handler in one line.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // With noUncheckedIndexedAccess an index known to be in range needs a `!`; a cast hides more.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Strings are spread by code point on purpose.
      '@typescript-eslint/no-misused-spread': 'off',
      // Our interfaces are plain objects of functions, which may be passed on one by one.
      '@typescript-eslint/unbound-method': 'off',
      // A port's signature may be async where one implementation has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      // `const f = <T>(...)` of a typed port needs its T once.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
    },
  },
  { files: PURE, rules: noAmbientTime },
  { files: PURE, ignores: TESTING, rules: noProcess },
  { files: PURE, ignores: [...SPECS, ...TESTING], rules: noNodeBuiltins },
  {
    files: THROUGH_PORTS,
    ignores: [...SPECS, ...REAL_TIME, ...TESTING],
    rules: { ...noAmbientTime, ...noProcess },
  },
  {
    files: SPECS,
    rules: {
      '@nx/enforce-module-boundaries': boundaries({ isSpec: true }),
      'max-lines-per-function': 'off',
      // A row of a table is one parameter a column.
      'max-params': 'off',
      // A test reads JSON and asserts on it: the assertion is the check.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-empty-function': 'off',
    },
  },
  { files: CONFIG_FILES, languageOptions: { sourceType: 'module' } },
)
