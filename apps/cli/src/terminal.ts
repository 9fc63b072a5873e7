import type { WriteStream } from 'node:tty'

type Output = Pick<WriteStream, 'write' | 'isTTY' | 'columns'>

/** Where a command speaks: results on stdout, errors on stderr, and at most one live line. */
export interface Terminal {
  /** True after a second Ctrl-C: do not wait for anything. */
  isHurried: boolean
  readonly isInteractive: boolean
  print(line: string): void
  /** Text without a line end. */
  write(text: string): void
  note(line: string): void
  error(message: string): void
  /** A line that is rewritten in place; where nothing can be rewritten, told only when `key` changes. */
  live(line: string, key?: string): void
  clear(): void
}

/** Some terminals do not tell their width. */
const DEFAULT_COLUMNS = 80

export const createTerminal = (stdout: Output, stderr: Output): Terminal => {
  const isInteractive = stdout.isTTY
  let isLive = false
  let lastKey = ''

  const clear = () => {
    if (isLive) stdout.write('\r\x1b[2K')
    isLive = false
  }
  const print = (line: string) => {
    clear()
    stdout.write(`${line}\n`)
  }
  const tell = (line: string) => {
    clear()
    stderr.write(`${line}\n`)
  }
  return {
    isHurried: false,
    isInteractive,
    print,
    write: (text) => {
      clear()
      stdout.write(text)
    },
    note: tell,
    error: (message) => tell(`berth: ${message}`),
    live: (line, key = line) => {
      if (isInteractive) {
        stdout.write(`\r\x1b[2K${line.slice(0, (stdout.columns || DEFAULT_COLUMNS) - 1)}`)
        isLive = true
      } else if (key !== lastKey) print(line)
      lastKey = key
    },
    clear,
  }
}
