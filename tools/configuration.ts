// Writes docs/configuration.md and docs/schemas/*.json from the schemas of the services.
//   node tools/configuration.ts [--check] [--root DIR]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { coreConfigSchema, LIVE_SETTINGS } from '@berth/orchestrator-core'
import { gatewayConfigSchema } from '@berth/orchestratord'
import { settingsSchema } from '@berth/pool-managerd'
import { describeSettings, settingsJsonSchema, type SettingFacts } from '@berth/runtime'
import { format } from 'prettier'

const { values } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    root: { type: 'string', default: join(import.meta.dirname, '..') },
  },
})
const root = resolve(values.root)

const SERVICES = [
  { name: 'orchestratord', schema: gatewayConfigSchema, live: [] },
  { name: 'orchestrator-core', schema: coreConfigSchema, live: LIVE_SETTINGS },
  { name: 'pool-managerd', schema: settingsSchema, live: [] },
]

const INTRO = `# Configuration

<!-- Written by tools/configuration.ts from the schemas of the services: npm run docs:config -->

Every setting can be given as a flag, as a variable of the environment, or in the YAML file that
\`--config\` or \`BERTH_CONFIG\` names. A flag wins over a variable, that over the file, that
over the default. \`queue.capacity\` is \`capacity\` below \`queue\` in the file,
\`--queue-capacity\` and \`BERTH_QUEUE_CAPACITY\`. A list is given to a flag with commas, a map as
JSON. \`BERTH_..._FILE\` names a file that holds the value, for secrets. An unknown key or a wrong
value ends the service before it starts, with exit code 78 and every problem at once.

The files' JSON Schemas are in [docs/schemas](schemas).
`

const LIVE_NOTE = `
A running core reads its file again when it changes, and on SIGHUP. Settings marked ↻ apply at
once; it names the others that changed, which need a restart. A file that is wrong changes
nothing, and its problems are logged.
`

const page = () =>
  INTRO +
  SERVICES.map(({ name, schema, live }) =>
    [
      `\n## ${name}\n`,
      ...(live.length > 0 ? [LIVE_NOTE] : []),
      '| setting | type | default | meaning |',
      '| --- | --- | --- | --- |',
      ...describeSettings(schema).map((setting) => row(setting, live)),
    ].join('\n'),
  ).join('\n')

const row = (setting: SettingFacts, live: readonly string[]) => {
  const { name, type, isRequired, meaning } = setting
  const isLive = live.some((each) => name === each || name.startsWith(`${each}.`))
  const fallback = setting.default === undefined ? '' : `\`${setting.default}\``
  const cells = [
    `\`${name}\`${isLive ? ' ↻' : ''}`,
    type.replaceAll('|', '\\|'),
    isRequired ? 'required' : fallback,
    meaning.replaceAll('|', '\\|'),
  ]
  return `| ${cells.join(' | ')} |`
}

const files: readonly (readonly [string, string])[] = [
  ['docs/configuration.md', page()],
  ...SERVICES.map(
    ({ name, schema }) =>
      [`docs/schemas/${name}.json`, JSON.stringify(settingsJsonSchema(schema))] as const,
  ),
]

if (!values.check) mkdirSync(join(root, 'docs/schemas'), { recursive: true })
for (const [path, text] of files) {
  const target = join(root, path)
  const wanted = await format(text, {
    ...{ filepath: target, printWidth: 100 },
    ...{ semi: false, singleQuote: true, trailingComma: 'all' },
  })
  if (!values.check) writeFileSync(target, wanted)
  else if (read(target) !== wanted) {
    process.stderr.write(`${path} is out of date: npm run docs:config\n`)
    process.exitCode = 1
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Not written yet: as much out of date as any.
    return undefined
  }
}
