import { readFileSync } from 'node:fs'

const FOLDER = new URL('../../fixtures/', import.meta.url)

/** A recorded output of a real tool; its source stands in fixtures/SOURCES.md. */
export const fixture = (name: string): string => readFileSync(new URL(name, FOLDER), 'utf8')
