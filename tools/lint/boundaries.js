// Who may import whom. A project carries a `layer:` and a `scope:` tag in its package.json; an
// import must be allowed by both. ARCHITECTURE.md has the picture.

const LAYERS = {
  kernel: { may: ['kernel'], npm: [] },
  domain: { may: ['kernel', 'domain'], npm: [] },
  engines: { may: ['kernel', 'domain', 'engines'], npm: [] },
  contract: { may: ['contract'], npm: ['@bufbuild/protobuf', '@bufbuild/protobuf/*'] },
  platform: { may: ['kernel', 'contract', 'platform'] },
  service: { may: ['kernel', 'domain', 'engines', 'contract', 'platform'] },
  app: { may: ['kernel', 'engines', 'platform', 'service'] },
  testing: { may: ['kernel', 'domain', 'engines', 'contract', 'platform', 'service', 'testing'] },
  tool: { may: ['kernel', 'domain', 'engines', 'contract', 'platform', 'service'] },
}

const APP_NPM = { core: [], agent: [], gateway: [], engine: ['zod'], cli: ['commander', 'yaml'] }

/** What a spec may use on top of its lib. */
const SPEC_NPM = ['@jest/globals', 'fast-check']

/** Options of `@nx/enforce-module-boundaries`. */
export const boundaries = ({ isSpec = false } = {}) => [
  'error',
  {
    allow: [],
    enforceBuildableLibDependency: false,
    depConstraints: [...layerRules(isSpec), ...scopeRules(), ...appRules(isSpec)],
  },
]

const layerRules = (isSpec) =>
  Object.entries(LAYERS).map(([layer, { may, npm }]) => ({
    sourceTag: `layer:${layer}`,
    onlyDependOnLibsWithTags: may.map((name) => `layer:${name}`),
    ...(npm && { allowedExternalImports: isSpec ? [...npm, ...SPEC_NPM] : npm }),
  }))

const scopeRules = () => [
  { sourceTag: 'scope:shared', onlyDependOnLibsWithTags: ['scope:shared'] },
  ...Object.keys(APP_NPM).map((scope) => ({
    sourceTag: `scope:${scope}`,
    onlyDependOnLibsWithTags: [`scope:${scope}`, 'scope:shared'],
  })),
  { sourceTag: 'scope:sim', onlyDependOnLibsWithTags: ['*'] },
]

const appRules = (isSpec) =>
  Object.entries(APP_NPM).map(([scope, npm]) => ({
    allSourceTags: ['layer:app', `scope:${scope}`],
    allowedExternalImports: isSpec ? [...npm, ...SPEC_NPM] : npm,
  }))
