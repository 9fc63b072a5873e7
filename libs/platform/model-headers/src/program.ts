// The program that reads headers, in a process of its own: what a hostile file costs ends with it.
// Its input is `{"path": ...}`; its output `{"header": ...}` or `{"fault": {"path", "fact"}}`.
import { readFileSync, writeSync } from 'node:fs'
import { HeaderFault } from './header-fault.ts'
import { readModel } from './read-model.ts'

const STDIN = 0
const STDOUT = 1

const answer = async (path: string): Promise<unknown> => {
  try {
    return { header: await readModel(path) }
  } catch (error) {
    const fact = Error.isError(error) ? error.message : String(error)
    const file = error instanceof HeaderFault ? error.path : path
    return { fault: { path: file, fact: fact.slice(0, 500) } }
  }
}

const request = JSON.parse(readFileSync(STDIN, 'utf8')) as { readonly path: string }
const text = Buffer.from(JSON.stringify(await answer(request.path)))
for (let written = 0; written < text.length;) written += writeSync(STDOUT, text, written)
