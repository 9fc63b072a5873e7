import { build } from 'esbuild'

/** Bundled CommonJS packages call `require`, which ESM does not have: this gives it to them. */
const BANNER =
  "import { createRequire as berthRequire } from 'node:module'; " +
  'const require = berthRequire(import.meta.url);'

/** Where a program begins, and the name of its bundle without `.js`. Paths are from `root`. */
export interface EntryPoint {
  readonly in: string
  readonly out: string
}

/** Bundles programs into `outdir`, one file each. Rejects on errors, and on warnings as well. */
export const bundle = async (
  root: string,
  entryPoints: readonly EntryPoint[],
  outdir: string,
): Promise<void> => {
  const { warnings } = await build({
    absWorkingDir: root,
    entryPoints: [...entryPoints],
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    sourcemap: 'linked',
    legalComments: 'none',
    // The text of a program stays in memory while it runs, and doubles with one character that is
    // not ASCII, in a comment too. The source map has what is left out here.
    minifyWhitespace: true,
    banner: { js: BANNER },
    logLevel: 'warning',
  })
  if (warnings.length > 0) throw new Error('esbuild warned: see above')
}
