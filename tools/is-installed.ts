// Exits 0 when node_modules holds what package-lock.json names, by npm's own list of what it
// installed, and 1 when npm has work to do. The list tells versions and hashes; that each package
// is there is seen for itself, because some lie in the node_modules of a lib, which a cache that
// keeps the one of the root does not hold.
import { existsSync, readFileSync } from 'node:fs'

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly optional?: boolean
}

const root = new URL('..', import.meta.url)

const readPackages = (path: string): Readonly<Record<string, Locked>> => {
  const lock = JSON.parse(readFileSync(new URL(path, root), 'utf8')) as {
    packages: Record<string, Locked>
  }
  return lock.packages
}

const isInstalled = (): boolean => {
  try {
    const installed = readPackages('node_modules/.package-lock.json')
    return Object.entries(readPackages('package-lock.json'))
      .filter(([path]) => path.includes('node_modules/'))
      .every(([path, wanted]) => {
        const found = installed[path]
        // Optional packages are for other machines as well.
        if (found === undefined) return wanted.optional === true
        return (
          found.version === wanted.version &&
          found.integrity === wanted.integrity &&
          existsSync(new URL(`${path}/package.json`, root))
        )
      })
  } catch {
    // No list, or half a list: not installed.
    return false
  }
}

process.exitCode = isInstalled() ? 0 : 1
