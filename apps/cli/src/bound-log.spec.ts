import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { boundLog } from './bound-log.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-log-'))
  path = join(folder, 'service.log')
})
afterEach(() => rmSync(folder, { recursive: true }))

const read = (file: string) => readFileSync(file, 'utf8')

it('moves what is older aside, and the writer goes on at the start', () => {
  const writer = openSync(path, 'a')
  for (const line of ['one\n', 'two\n', 'three\n']) {
    writeSync(writer, line)
    boundLog(path, 6)
  }
  writeSync(writer, 'four\n')
  closeSync(writer)
  expect(read(`${path}.1`)).toBe('one\ntwo\n')
  expect(read(path)).toBe('three\nfour\n')
})

it('leaves a small log alone, and one that is not there', () => {
  boundLog(path, 6)
  const writer = openSync(path, 'a')
  writeSync(writer, 'one\n')
  closeSync(writer)
  boundLog(path, 6)
  expect(read(path)).toBe('one\n')
})
