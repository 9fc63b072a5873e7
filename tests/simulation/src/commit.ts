import { execFileSync } from 'node:child_process'

const git = (...args: string[]) =>
  execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()

/** What a seed has to be replayed on; `+` marks changes that are in no commit. */
export const commit = (): string => {
  try {
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+')
  } catch {
    // A source archive has no history.
    return 'unknown'
  }
}
