// Writes docs/traceability.md: what proves each requirement.
//   node tools/traceability.ts [--check] [--root DIR]
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { collectEvidence } from './trace/evidence.ts'
import { readRequirements } from './trace/requirements.ts'
import { renderTraceability } from './trace/render.ts'

const { values } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    root: { type: 'string', default: join(import.meta.dirname, '..') },
  },
})
const root = resolve(values.root)
const target = join(root, 'docs/traceability.md')
const requirements = readRequirements(readFileSync(join(root, 'docs/requirements.tsv'), 'utf8'))
const evidence = collectEvidence(root)

const known = new Set(requirements.map(({ id }) => id))
const unknown = evidence.filter(({ id }) => !known.has(id))
for (const { id, path } of unknown) process.stderr.write(`${path}: no requirement ${id}\n`)

const text = renderTraceability(requirements, evidence)
if (!values.check) writeFileSync(target, text)
else if (readFileSync(target, 'utf8') !== text) {
  process.stderr.write('docs/traceability.md is out of date: npm run traceability\n')
  process.exitCode = 1
}
if (unknown.length > 0) process.exitCode = 1
