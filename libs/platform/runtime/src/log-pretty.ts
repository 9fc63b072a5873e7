interface Line {
  readonly time?: string
  readonly level?: string
  readonly name?: string
  readonly msg?: string
  readonly err?: { readonly message?: string; readonly stack?: string }
  readonly [fact: string]: unknown
}

/** Turns each JSON line into one a person reads: `12:00:01.123 INFO  name message key=value`. */
export const prettyDestination = (out: { write(line: string): unknown }) => ({
  write: (json: string) => {
    out.write(prettyLine(json))
  },
})

const prettyLine = (json: string): string => {
  const { time, level, name, msg, err, pid: _pid, ...facts } = JSON.parse(json) as Line
  const head = [time?.slice(11, 23), level?.toUpperCase().padEnd(5), name, msg].join(' ')
  const tail = Object.entries(facts).map(([key, value]) => ` ${key}=${shown(value)}`)
  const trace = err ? `\n${err.stack ?? err.message ?? ''}` : ''
  return `${head}${tail.join('')}${trace}\n`
}

const shown = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
