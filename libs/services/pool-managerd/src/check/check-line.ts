/** What one look at this host found. */
export interface CheckLine {
  /** Of what: `pools file`, `port grpc`, `NATS`. */
  readonly check: string
  /** `warn` lets an agent start; `fail` does not, or keeps a pool from serving. */
  readonly status: 'ok' | 'warn' | 'fail'
  /** The fact, in one line or more. */
  readonly message: string
  /** What to do about it; absent when it is well. */
  readonly advice?: string
}

export const ok = (check: string, message: string): CheckLine => ({ check, status: 'ok', message })

export const warn = (check: string, message: string, advice: string): CheckLine => ({
  ...{ check, status: 'warn', message, advice },
})

export const fail = (check: string, message: string, advice: string): CheckLine => ({
  ...{ check, status: 'fail', message, advice },
})

/** The lines for people, and what they come to. */
export const checkText = (lines: readonly CheckLine[]): string => {
  const text = lines.flatMap(({ check, status, message, advice }) => [
    `${status.padEnd(4)}  ${check}: ${message.replaceAll('\n', '\n      ')}`,
    ...(advice === undefined ? [] : [`      → ${advice}`]),
  ])
  const count = (status: CheckLine['status']) =>
    lines.filter((line) => line.status === status).length
  return [...text, '', `${count('ok')} ok, ${count('warn')} warn, ${count('fail')} fail`].join('\n')
}
