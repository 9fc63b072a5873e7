const preset = require('./jest.preset.cjs')

const suite = (name, testMatch, extra = {}) => ({
  ...preset,
  displayName: name,
  rootDir: __dirname,
  testMatch,
  ...extra,
})

// Suites are folders; `npx jest --selectProjects unit` runs one of them.
module.exports = {
  projects: [
    suite('unit', [
      '<rootDir>/libs/**/*.spec.ts',
      '<rootDir>/apps/**/*.spec.ts',
      '<rootDir>/bench/**/*.spec.ts',
    ]),
    suite('tidy', ['<rootDir>/tests/tidy/**/*.spec.ts']),
    suite('simulation', ['<rootDir>/tests/simulation/**/*.spec.ts']),
    suite('integration', [
      '<rootDir>/tests/integration/**/*.spec.ts',
      '<rootDir>/tests/traffic/**/*.spec.ts',
    ]),
    suite('containers', ['<rootDir>/tests/containers/**/*.spec.ts']),
    suite('conformance', ['<rootDir>/tests/conformance/**/*.spec.ts']),
    suite('chaos', ['<rootDir>/tests/chaos/**/*.spec.ts']),
  ],
}
