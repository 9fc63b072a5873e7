import { readFileSync } from 'node:fs'
import type { Identity } from './engine.ts'

/** What the kernel says of this process. Other systems than Linux say less. */
export const readIdentity = (): Identity => {
  const status = read('/proc/self/status')
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? ''
  return {
    uid: process.getuid?.() ?? -1,
    gid: process.getgid?.() ?? -1,
    groups: field('Groups').split(/\s+/).filter(Boolean).map(Number),
    capEff: field('CapEff'),
    capBnd: field('CapBnd'),
    noNewPrivs: field('NoNewPrivs') === '1',
    cwd: process.cwd(),
    home: process.env.HOME ?? '',
    cgroup: /^0::(.*)$/m.exec(read('/proc/self/cgroup'))?.[1] ?? '',
  }
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // No such thing on this system.
    return ''
  }
}
