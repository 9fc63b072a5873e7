import {
  chooseOllama,
  ENGINES,
  type EngineChoice,
  type NoChoice,
  type PoolChoice,
  type Surroundings,
} from './engine-choice.ts'

/** The engine that `--engine` names, with what it needs of this machine. */
export const chooseAsked = (choice: PoolChoice, around: Surroundings): EngineChoice | NoChoice => {
  const { engine } = choice
  switch (engine) {
    case 'embedded':
      return { engine, ...modelOf(choice), why: AS_ASKED }
    case 'llamacpp':
      return askedLlamacpp(choice, around)
    case 'vllm':
      return askedVllm(choice, around)
    case 'ollama':
      return askedOllama(choice, around)
    default:
      return {
        exit: 'usage',
        problem: `There is no engine called ${engine ?? ''}.`,
        next: `Choose one of ${ENGINES.join(', ')}, or describe your pools in a file: --pools FILE.`,
      }
  }
}

const AS_ASKED = 'as asked'

const modelOf = ({ model }: PoolChoice) => (model === undefined ? {} : { model })

/** A server that runs already has its model; its name is what it answers to. */
const askedServer = (
  engine: 'llamacpp' | 'vllm',
  { model, engineUrl: url }: PoolChoice,
): EngineChoice | NoChoice | undefined => {
  if (url === undefined) return undefined
  if (model !== undefined) return { engine, model, url, why: AS_ASKED }
  return {
    exit: 'usage',
    problem: `The ${engine} server at ${url} has a model, and its name was not given.`,
    next: `./berth up --engine ${engine} --engine-url ${url} --model NAME`,
  }
}

const askedLlamacpp = (choice: PoolChoice, around: Surroundings): EngineChoice | NoChoice => {
  const server = askedServer('llamacpp', choice)
  if (server) return server
  const { llamaServerPath: program, keptModel } = around
  if (program === undefined)
    return {
      exit: 'missingDependency',
      problem: 'There is no llama-server on PATH.',
      next: 'Install llama.cpp, or leave --engine out: the bundled engine reads the same files.',
    }
  const model = choice.model ?? keptModel
  return { engine: 'llamacpp', program, why: AS_ASKED, ...(model === undefined ? {} : { model }) }
}

const askedVllm = (choice: PoolChoice, { vllmPath }: Surroundings): EngineChoice | NoChoice => {
  const server = askedServer('vllm', choice)
  if (server) return server
  if (vllmPath === undefined)
    return {
      exit: 'missingDependency',
      problem: 'There is no vllm on PATH.',
      next: 'Install vLLM on this host, or name the server that runs it: --engine-url URL --model NAME',
    }
  if (choice.model !== undefined)
    return { engine: 'vllm', model: choice.model, program: vllmPath, why: AS_ASKED }
  return {
    exit: 'usage',
    problem: 'vLLM is started with a model, and none was given.',
    next: './berth up --engine vllm --model hf:ORG/NAME',
  }
}

const askedOllama = (choice: PoolChoice, around: Surroundings): EngineChoice | NoChoice => {
  const { engineUrl: url } = choice
  const name = choice.model ?? around.ollama?.models[0]
  if (name === undefined)
    return {
      exit: 'usage',
      problem: around.ollama
        ? `The Ollama at ${around.ollama.url} has no model yet.`
        : 'Which model is Ollama to serve? None was given.',
      next: './berth up --engine ollama --model llama3.2',
    }
  if (url !== undefined) return { engine: 'ollama', model: name, url, why: AS_ASKED }
  return (
    chooseOllama(name, around) ?? {
      exit: 'missingDependency',
      problem: 'No Ollama answers, and there is none on PATH.',
      next: 'Start Ollama, set OLLAMA_HOST to where it listens, or install it: https://ollama.com',
    }
  )
}
