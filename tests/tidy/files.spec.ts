import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { deadFiles } from './src/dead-files.ts'
import { docstringProblems } from './src/docstring-rules.ts'
import { exportNameProblems, indexProblems, nameProblems } from './src/name-rules.ts'
import { workspacePackages } from './src/packages.ts'
import { isGenerated, projectPaths, root, sourceFiles } from './src/project-files.ts'
import { sizeProblems } from './src/size-rules.ts'
import { exportProblems, textProblems } from './src/text-rules.ts'

const files = sourceFiles()

describe('source files', () => {
  it('are found, so that the checks below have something to check', () => {
    expect(files.length).toBeGreaterThan(50)
  })

  it('are short and narrow', () => {
    expect(files.flatMap(sizeProblems)).toEqual([])
  })

  it('have names that say one idea', () => {
    expect(files.flatMap(({ path }) => [...nameProblems(path), ...indexProblems(path)])).toEqual([])
    expect(files.flatMap(({ path, text }) => exportNameProblems(path, text))).toEqual([])
  })

  it('export by name', () => {
    const sources = files.filter(({ path }) => !/\.config\.ts$/.test(path))
    expect(sources.flatMap(exportProblems)).toEqual([])
  })

  it('[001-PR-5] say of every symbol that a lib exports what it is', () => {
    expect(docstringProblems(files)).toEqual([])
  })

  it('are all reachable from an entry point or another file', () => {
    const entries = new Set(workspacePackages().flatMap((each) => each.exportedPaths))
    expect(deadFiles(files, entries)).toEqual([])
  })
})

describe('every file', () => {
  it('[003-PR-1] names no machine, no registry and no unfinished work', () => {
    const texts = projectPaths()
      .filter((path) => !isGenerated(path) && !/^proto\/(?:google|grpc)\//.test(path))
      .filter((path) => !/package-lock\.json$|\.(?:binpb|png|gguf|csv|jsonl|tsv)$/.test(path))
      // What a program printed is as it was recorded.
      .filter((path) => !/\/fixtures\/.*\.log$/.test(path))
      .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
    expect(texts.flatMap(textProblems)).toEqual([])
  })
})
