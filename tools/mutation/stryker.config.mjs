// Mutation tests of the domain libs: `npm run mutation -- placement` (or admission, supervision).
// Each lib must keep a score of 80 %; a surviving mutant is a line no test would miss.
const lib = process.env.BERTH_MUTATE ?? 'placement'

export default {
  packageManager: 'npm',
  plugins: ['@stryker-mutator/jest-runner'],
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules'],
  jest: { configFile: 'tools/mutation/jest.config.cjs', enableFindRelatedTests: true },
  coverageAnalysis: 'perTest',
  mutate: [
    `libs/domain/${lib}/src/**/*.ts`,
    `!libs/domain/${lib}/src/**/*.spec.ts`,
    `!libs/domain/${lib}/src/testing/**`,
    `!libs/domain/${lib}/src/index.ts`,
  ],
  ignorePatterns: ['.berth', '.nx', 'dist', 'tmp', 'docs', 'bench', 'apps', 'deploy'],
  tempDirName: '.berth/mutation',
  reporters: ['clear-text', 'json'],
  clearTextReporter: { reportTests: false, allowColor: false },
  jsonReporter: { fileName: `.berth/mutation/${lib}.json` },
  thresholds: { high: 90, low: 80, break: 80 },
  concurrency: 2,
  timeoutMS: 10_000,
}
