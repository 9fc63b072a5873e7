// Lints texts as if they stood in the files they name, and writes `[{ path, rules }]`:
//   node lint-texts.ts < texts.json
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ESLint } from 'eslint'

interface Text {
  readonly path: string
  readonly text: string
}

const root = join(import.meta.dirname, '../../..')
const eslint = new ESLint({ cwd: root })
const texts = JSON.parse(readFileSync(0, 'utf8')) as readonly Text[]
const found = []
for (const { path, text } of texts) {
  const [result] = await eslint.lintText(text, { filePath: join(root, path) })
  const messages = result?.messages ?? []
  found.push({ path, rules: [...new Set(messages.map(({ ruleId }) => ruleId ?? 'parser'))].sort() })
}
process.stdout.write(JSON.stringify(found))
