import { readFileSync } from 'node:fs'
import { BerthError, messageOf } from '@berth/kernel'
import { parseDocument } from 'yaml'

/**
 * The content of a YAML file as plain values (`null` for an empty one). Throws `CONFIG_INVALID`
 * with every syntax error and its line and column, or with why the file cannot be read.
 */
export const readYamlFile = (path: string): unknown => {
  const document = parse(path)
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => {
      const [start] = error.linePos ?? []
      const [what] = error.message.split(/ at line |\n/)
      return `${path}:${start?.line ?? 1}:${start?.col ?? 1}: ${what}`
    })
    throw new BerthError('CONFIG_INVALID', problems.join('\n'))
  }
  try {
    return document.toJS() as unknown
  } catch (error) {
    throw new BerthError('CONFIG_INVALID', `${path}: ${messageOf(error)}`, { cause: error })
  }
}

/** The parser overflows the stack on brackets in brackets in brackets. */
const parse = (path: string) => {
  const text = readText(path)
  try {
    return parseDocument(text, { uniqueKeys: true })
  } catch (error) {
    throw new BerthError('CONFIG_INVALID', `${path}: ${messageOf(error)}`, { cause: error })
  }
}

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new BerthError('CONFIG_INVALID', `Cannot read ${path}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
