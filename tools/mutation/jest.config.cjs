const preset = require('../../jest.preset.cjs')

// The specs of one lib, once: a property that finds a mutant finds it within a few runs.
module.exports = {
  ...preset,
  rootDir: require('node:path').resolve(__dirname, '../..'),
  testMatch: [`<rootDir>/libs/domain/${process.env.BERTH_MUTATE ?? 'placement'}/**/*.spec.ts`],
}
