import { firstModel } from './await-gateway.ts'
import { EXIT } from './exit-code.ts'
import { readHolder } from './fleet-lock.ts'
import { streamChat } from './gateway-client.ts'
import type { Paths } from './paths.ts'
import type { CommandContext } from './run-command.ts'
import { readRunState } from './run-state.ts'

export interface ChatContext extends CommandContext {
  readonly paths: Paths
  readonly message: string
  readonly options: { readonly model?: string; readonly url?: string }
}

const DEFAULT_URL = 'http://127.0.0.1:8080'

/** Sends one message and prints the answer as it comes. */
export const chat = async (context: ChatContext): Promise<number> => {
  const { paths, options, terminal, signal, message } = context
  const url = (options.url ?? readRunState(paths)?.url ?? DEFAULT_URL).replace(/\/+$/, '')
  const isSupervised = options.url === undefined && readHolder(paths) !== undefined
  const model = options.model ?? (await firstModel({ url, isSupervised, terminal, signal }))
  for await (const piece of streamChat({ url, model, message, signal })) terminal.write(piece)
  terminal.write('\n')
  return EXIT.ok
}
