import type { z } from 'zod'

type Issue = z.core.$ZodIssue

/**
 * What is wrong with a document, one line each: `pools[1].devices[0]: Invalid input: ...`.
 * `prefix` is where the document stands (`pools[1]`, or a text ending in a space such as
 * `pools.yaml: `) and comes before each path. Values are never shown: they may be secrets.
 */
export const listProblems = (error: z.ZodError, prefix = ''): string[] =>
  error.issues
    .flatMap((issue) => listIssue(issue, []))
    .map(({ where, message }) => {
      const place = join(prefix, where)
      if (place === '') return message
      return place.endsWith(' ') ? place + message : `${place}: ${message}`
    })

interface Problem {
  /** Empty: the document itself. */
  readonly where: string
  readonly message: string
}

const listIssue = (issue: Issue, outer: readonly PropertyKey[]): Problem[] => {
  const path = [...outer, ...issue.path]
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      where: formatPath([...path, key]),
      message: 'is not a known setting',
    }))
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const nearest = issue.errors.reduce((best, branch) =>
      branch.length < best.length ? branch : best,
    )
    return nearest.flatMap((inner) => listIssue(inner, path))
  }
  return [{ where: formatPath(path), message: issue.message }]
}

const formatPath = (path: readonly PropertyKey[]): string =>
  path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '')

const join = (prefix: string, where: string) =>
  prefix === '' || prefix.endsWith(' ') || where === '' || where.startsWith('[')
    ? prefix + where
    : `${prefix}.${where}`
