/**
 * How llama.cpp keeps what an architecture remembers. `attention`: every block caches keys and
 * values. `hybrid`: a block has a state in place of a cache, or both. `recurrent`: states alone.
 * `none`: nothing is kept between tokens. Undefined: an architecture with a cache of its own kind,
 * or one that is not known; nothing is said of it then.
 *
 * Source: llama.cpp v0.5.0, `llama_model::create_memory` in src/llama-model.cpp and
 * `llm_arch_is_hybrid`, `llm_arch_is_recurrent` in src/llama-arch.cpp
 */
export const memoryOfArchitecture = (
  architecture: string,
): 'attention' | 'hybrid' | 'recurrent' | 'none' | undefined => KINDS.get(architecture)

const ATTENTION = `
  afmoe apertus arcee arctic baichuan bailingmoe bailingmoe2 bitnet bloom chameleon chatglm
  codeshell cogvlm cohere2 cohere2moe command-r dbrx deci deepseek deepseek2 dots1 ernie4_5
  ernie4_5-moe exaone exaone-moe exaone4 falcon gemma gemma2 gemma3 gemma3n gemma4 glm4 glm4moe
  gpt-oss gpt2 gptneox granite granite_swa granitemoe grok grovemoe hunyuan-dense hunyuan-moe
  hunyuan_vl internlm2 jais jais2 laguna llama llama-embed llama4 maincoder mellum mimo2 minicpm
  minicpm3 minimax-m2 mistral3 mpt muse-glimmer nemotron olmo olmo2 olmoe openelm orion paddleocr
  pangu-embedded phi2 phi3 phimoe plamo plamo3 plm qwen qwen2 qwen2moe qwen2vl qwen3 qwen3moe
  qwen3vl qwen3vlmoe refact seed_oss smallthinker smollm3 stablelm starcoder starcoder2 step35
  xverse
`
const HYBRID = `
  falcon-h1 granitehybrid jamba kimi-linear lfm2 lfm2moe minimax-01 nemotron_h nemotron_h_moe
  plamo2 qwen35 qwen35moe qwen3next
`
const RECURRENT = 'arwkv7 mamba mamba2 rwkv6 rwkv6qwen2 rwkv7'
const NONE = `
  bert dream eurobert gemma-embedding jina-bert-v2 jina-bert-v3 llada llada-moe modern-bert neo-bert
  nomic-bert nomic-bert-moe rnd1
`

const named = <K extends string>(names: string, kind: K): [string, K][] =>
  names
    .trim()
    .split(/\s+/)
    .map((name) => [name, kind])

const KINDS = new Map([
  ...named(ATTENTION, 'attention'),
  ...named(HYBRID, 'hybrid'),
  ...named(RECURRENT, 'recurrent'),
  ...named(NONE, 'none'),
])
