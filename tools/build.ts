import { build } from 'esbuild'

const root = new URL('..', import.meta.url).pathname

const apps = [
  'orchestratord',
  'orchestrator-core',
  'pool-managerd',
  'cli',
  'sim-engine',
  'embedded-engine',
]

const wanted = process.argv.slice(2)

// One file per app. Bundled CommonJS packages call `require`, which ESM does not have: the banner
// gives it to them.
await build({
  absWorkingDir: root,
  entryPoints: apps
    .filter((app) => wanted.length === 0 || wanted.includes(app))
    .map((app) => ({ in: `apps/${app}/src/main.ts`, out: app })),
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  sourcemap: 'linked',
  legalComments: 'none',
  banner: {
    js: "import { createRequire as berthRequire } from 'node:module'; const require = berthRequire(import.meta.url);",
  },
  logLevel: 'warning',
})
